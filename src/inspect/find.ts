// What people call a container -> the container: first those with a record (id, name, beginning of an id), then those
// that were made of a bundle, by their whole id.

import { findContainerRecord } from '../container/find.ts';
import type { ContainerRecord } from '../container/record.ts';
import { TinyrunError } from '../errors.ts';
import { isId } from '../runtime/id.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { type Container, findContainer } from '../runtime/store.ts';

export type Found = { record: ContainerRecord } | { container: Container };

/**
 * Looks a container up.
 * @throws TinyrunError USAGE if several ids begin so
 */
export function findAny(
  { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  called: string,
): Found | undefined {
  const record = findContainerRecord(dataRoot, called);
  if (record !== undefined) return { record };
  const container = isId(called) ? findContainer(root, called) : undefined;
  return container === undefined || container.state.status === 'creating' ? undefined : { container };
}

/**
 * The same, where there must be one.
 * @throws TinyrunError NOT_FOUND in Docker's words
 */
export function resolveAny(roots: Pick<GlobalOptions, 'root' | 'dataRoot'>, called: string): Found {
  const found = findAny(roots, called);
  if (found !== undefined) return found;
  throw new TinyrunError('NOT_FOUND', `No such container: ${called}`, {
    hint: '`tinyrun ps -a` lists those that are here',
    data: { container: called },
  });
}

/**
 * When a container was made, milliseconds since 1970.
 * @throws TinyrunError NOT_FOUND
 */
export function createdOf(roots: Pick<GlobalOptions, 'root' | 'dataRoot'>, called: string): number {
  const found = resolveAny(roots, called);
  return Date.parse('record' in found ? found.record.created : found.container.state.created);
}
