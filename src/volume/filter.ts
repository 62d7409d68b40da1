// The filters of `volume ls` and `volume prune`: KEY=VALUE, as in Docker. Of one key several: any of them holds; of
// labels, all.

import { TinyrunError } from '../errors.ts';
import type { Volume } from './store.ts';

/** What a filter may ask for. */
export type FilterKey = 'dangling' | 'driver' | 'label' | 'label!' | 'name' | 'anonymous';

export type Filters = ReadonlyMap<FilterKey, readonly string[]>;

/**
 * Reads the values of --filter.
 * @param known the keys that this command has
 * @throws TinyrunError USAGE in Docker's words
 */
export function parseFilters(texts: readonly string[], known: readonly FilterKey[]): Filters {
  const filters = new Map<FilterKey, string[]>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals < 0)
      throw new TinyrunError(
        'USAGE',
        `invalid argument ${JSON.stringify(text)} for "--filter" flag: bad format of filter (expected name=value)`,
      );
    const name = text.slice(0, equals).trim().toLowerCase();
    const key = known.find((one) => one === name);
    if (key === undefined)
      throw new TinyrunError('USAGE', `invalid filter '${name}'`, { hint: `there are ${known.join(', ')}` });
    filters.set(key, [...(filters.get(key) ?? []), text.slice(equals + 1).trim()]);
  }
  for (const key of ['dangling', 'anonymous'] as const)
    for (const value of filters.get(key) ?? [])
      if (!/^(true|false|1|0)$/.test(value))
        throw new TinyrunError('USAGE', `invalid filter '${key}=${value}'`, { hint: 'it is true or false' });
  return filters;
}

/**
 * Whether a volume is one of those asked for.
 * @param isUsed tells whether a container uses it; only called where that is asked for
 */
export function matches(volume: Volume, filters: Filters, isUsed: (name: string) => boolean): boolean {
  const any = (key: FilterKey, holds: (value: string) => boolean): boolean => {
    const values = filters.get(key);
    return values === undefined || values.some(holds);
  };
  const labels = volume.labels ?? {};
  return (
    any('dangling', (value) => isUsed(volume.name) !== isTrue(value)) &&
    any('anonymous', (value) => volume.anonymous === isTrue(value)) &&
    any('driver', (value) => volume.driver === value) &&
    any('name', (value) => matchesName(volume.name, value)) &&
    (filters.get('label') ?? []).every((value) => hasLabel(labels, value)) &&
    !(filters.get('label!') ?? []).some((value) => hasLabel(labels, value))
  );
}

const isTrue = (value: string): boolean => value === 'true' || value === '1';

function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const equals = text.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, text);
  const name = text.slice(0, equals);
  return Object.hasOwn(labels, name) && labels[name] === text.slice(equals + 1);
}

/** A part of the name, or a regular expression for one. */
function matchesName(name: string, pattern: string): boolean {
  if (name.includes(pattern)) return true;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false; // no expression, and no part of the name
  }
}
