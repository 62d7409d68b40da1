// What people call a container -> its record: its whole id, its name, or the beginning of its id that no other has; in this
// order, as Docker.

import { AT_FDCWD, exists } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { isId } from '../runtime/id.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { idOfName } from './names.ts';
import { type ContainerRecord, isContainerId, listContainerIds, readRecord } from './record.ts';

type Roots = Pick<GlobalOptions, 'root' | 'dataRoot'>;

/**
 * Looks a container up.
 * @param called an id, the beginning of one, or a name (a leading slash is Docker's, and means nothing)
 * @returns undefined where there is none
 * @throws TinyrunError USAGE if several ids begin so; HOST if its record is damaged
 */
export function findContainerRecord(dataRoot: string, called: string): ContainerRecord | undefined {
  if (isContainerId(called)) {
    const record = readRecord(dataRoot, called);
    if (record !== undefined) return record;
  }
  const id = idOfName(dataRoot, called.replace(/^\//, '')) ?? idOfPrefix(dataRoot, called);
  return id === undefined ? undefined : readRecord(dataRoot, id);
}

/**
 * The same, where there must be one.
 * @throws TinyrunError NOT_FOUND in Docker's words; STATE if it is the id of a container of a bundle, which has no record
 */
export function resolveContainer({ root, dataRoot }: Roots, called: string): ContainerRecord {
  const record = findContainerRecord(dataRoot, called);
  if (record !== undefined) return record;
  assertNoBundle(root, called);
  throw new TinyrunError('NOT_FOUND', `No such container: ${called}`, { data: { container: called } });
}

/** @throws TinyrunError STATE if it is the id of a container of a bundle */
export function assertNoBundle(root: string, called: string): void {
  if (!isId(called) || isContainerId(called) || !exists(AT_FDCWD, `${root}/${called}`)) return;
  throw new TinyrunError('STATE', `container ${called} is of a bundle: this is for containers of images`, {
    hint: 'list, state, start, exec, kill and delete are for both',
    data: { container: called },
  });
}

function idOfPrefix(dataRoot: string, prefix: string): string | undefined {
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) return undefined;
  const found = listContainerIds(dataRoot).filter(
    (id) => id.startsWith(prefix) && readRecord(dataRoot, id) !== undefined,
  );
  if (found.length > 1)
    throw new TinyrunError('USAGE', `multiple IDs found with provided prefix: ${prefix}`, {
      hint: `write more of it: ${found.map((id) => id.slice(0, prefix.length + 4)).join(', ')}`,
      data: { prefix },
    });
  return found[0];
}
