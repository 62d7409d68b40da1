// The values of --filter: KEY=VALUE, as in Docker. What a key means is the command's matter.

import { TinyrunError } from '../errors.ts';

export type Filters<Key extends string> = ReadonlyMap<Key, readonly string[]>;

/** Of these keys each value is true or false. */
const TRUTHS = ['all', 'anonymous', 'dangling'];

/**
 * Reads the values of --filter.
 * @param known the keys that this command has
 * @throws TinyrunError USAGE in Docker's words
 */
export function parseFilters<Key extends string>(
  texts: readonly string[],
  known: readonly Key[],
): Filters<Key> {
  const filters = new Map<Key, string[]>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals < 0)
      throw new TinyrunError(
        'USAGE',
        `invalid argument ${JSON.stringify(text)} for "--filter" flag: bad format of filter (expected name=value)`,
      );
    const name = text.slice(0, equals).trim().toLowerCase();
    const value = text.slice(equals + 1).trim();
    const key = known.find((one) => one === name);
    if (key === undefined)
      throw new TinyrunError('USAGE', `invalid filter '${name}'`, { hint: `there are ${known.join(', ')}` });
    if (TRUTHS.includes(key) && !/^(true|false|1|0)$/.test(value))
      throw new TinyrunError('USAGE', `invalid filter '${key}=${value}'`, { hint: 'it is true or false' });
    filters.set(key, [...(filters.get(key) ?? []), value]);
  }
  return filters;
}

/** Whether one of the values of a key holds, or the key is not asked for. */
export function anyHolds<Key extends string>(
  filters: Filters<Key>,
  key: Key,
  holds: (value: string) => boolean,
): boolean {
  const values = filters.get(key);
  return values === undefined || values.some(holds);
}

/** A filter's value that says yes; Docker takes both. */
export const isTrue = (value: string): boolean => value === 'true' || value === '1';

/** Whether all labels of `label` are there (NAME, or NAME=VALUE), and none of `label!`. */
export function labelsMatch(
  labels: Readonly<Record<string, string>>,
  filters: ReadonlyMap<string, readonly string[]>,
): boolean {
  const has = (text: string): boolean => hasLabel(labels, text);
  return (filters.get('label') ?? []).every(has) && !(filters.get('label!') ?? []).some(has);
}

function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const equals = text.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, text);
  const name = text.slice(0, equals);
  return Object.hasOwn(labels, name) && labels[name] === text.slice(equals + 1);
}
