// The filters of `ps`. Of one key several: any of them holds; of labels, all.

import { TinyrunError } from '../errors.ts';
import { findImage, type Image } from '../image/store.ts';
import type { ListedContainer } from '../inspect/containers.ts';
import { anyHolds, type Filters, labelsMatch } from './filters.ts';

export const CONTAINER_FILTERS = [
  ...['id', 'name', 'label', 'label!', 'status', 'ancestor', 'exited', 'before', 'since'],
  ...['volume', 'network', 'health'],
] as const;
export type ContainerFilter = (typeof CONTAINER_FILTERS)[number];

/** What a filter may have to find out. */
export interface FilterFacts {
  dataRoot: string;
  /** When the container of this name was made, milliseconds since 1970; throws where there is none. */
  createdAt(called: string): number;
  /** Names and destinations of a container's volumes and binds. */
  mounts(container: ListedContainer): readonly { Name?: string; Destination: string; Source: string }[];
}

/** Docker's statuses; those that nothing here ever has are known as well. */
const STATUSES = ['created', 'running', 'paused', 'exited', 'restarting', 'removing', 'dead'];
const HEALTHS = ['starting', 'healthy', 'unhealthy', 'none'];

/**
 * Makes a test of the filters.
 * @throws TinyrunError USAGE in Docker's words for values that cannot be; NOT_FOUND for `before` and `since`
 */
export function containerFilter(
  filters: Filters<ContainerFilter>,
  facts: FilterFacts,
): (container: ListedContainer) => boolean {
  assertOneOf(filters, 'status', STATUSES);
  assertOneOf(filters, 'health', HEALTHS);
  for (const value of filters.get('exited') ?? [])
    if (!/^-?\d+$/.test(value)) throw invalid('exited', value, 'it is an exit code');
  const before = Math.min(...(filters.get('before') ?? []).map(facts.createdAt));
  const since = Math.max(...(filters.get('since') ?? []).map(facts.createdAt));
  const descends = ancestry(filters.get('ancestor') ?? [], facts.dataRoot);
  return (one) =>
    one.created < before &&
    one.created > since &&
    anyHolds(filters, 'id', (value) => matchesText(one.id, value)) &&
    anyHolds(filters, 'name', (value) => matchesText(one.name, value.replace(/^(\^?)\//, '$1'))) &&
    anyHolds(filters, 'status', (value) => one.state === value) &&
    anyHolds(filters, 'exited', (value) => one.state === 'exited' && one.exitCode === Number(value)) &&
    anyHolds(filters, 'network', (value) => one.network === value) &&
    anyHolds(filters, 'health', (value) => value === 'none') &&
    anyHolds(filters, 'ancestor', (value) => descends(one, value)) &&
    anyHolds(filters, 'volume', (value) => mountsAny(facts.mounts(one), value)) &&
    labelsMatch(one.labels, filters);
}

const mountsAny = (mounts: ReturnType<FilterFacts['mounts']>, value: string): boolean =>
  mounts.some(({ Name, Destination, Source }) => [Name, Destination, Source].includes(value));

/** Whether a container's image is the one of a name, or was made from it: has its layers at the bottom. */
function ancestry(
  values: readonly string[],
  dataRoot: string,
): (one: ListedContainer, value: string) => boolean {
  const ancestors = new Map(values.map((value) => [value, findImage(dataRoot, value)]));
  const images = new Map<string, Image | undefined>();
  return ({ imageId, image }, value) => {
    const ancestor = ancestors.get(value);
    if (ancestor === undefined) return image === value;
    if (imageId === ancestor.id) return true;
    if (!images.has(imageId)) images.set(imageId, imageId === '' ? undefined : findImage(dataRoot, imageId));
    const layers = images.get(imageId)?.layers ?? [];
    return ancestor.layers.length > 0 && ancestor.layers.every((layer, index) => layers[index] === layer);
  };
}

/** A part of a text, or a regular expression for one. */
function matchesText(text: string, pattern: string): boolean {
  if (text.includes(pattern)) return true;
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false; // no expression, and no part of the text
  }
}

function assertOneOf(
  filters: Filters<ContainerFilter>,
  key: ContainerFilter,
  known: readonly string[],
): void {
  for (const value of filters.get(key) ?? [])
    if (!known.includes(value)) throw invalid(key, value, `there are ${known.join(', ')}`);
}

const invalid = (key: string, value: string, hint: string): TinyrunError =>
  new TinyrunError('USAGE', `invalid filter '${key}=${value}'`, { hint });
