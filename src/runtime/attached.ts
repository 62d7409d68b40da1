// What tells the end of a container that it got mounts while it ran: a symlink in its state directory (ATTACHED), to the
// directory that says which they are. Whoever removes the state directory finds it not empty, be it a program that was planned
// long before, and has what it leads to undone.
//
// Made before anything else is, and only then it is looked whether the container runs: so whoever has seen its end sees this.

import { flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, listDirectory, removeTree } from '../disk/files.ts';
import { isAt } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { ATTACHED, containerDirectory } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { hasRecord, isAttached, readUses } from '../volume/uses.ts';
import type { GlobalOptions } from './options.ts';
import { type Container, findContainer, notFound, readAttached } from './store.ts';

type Roots = Pick<GlobalOptions, 'root' | 'dataRoot'>;

/**
 * Notes that a container has mounts that came while it ran; noted twice is fine.
 * @param lock the container's directory in this data root, open and locked
 * @throws TinyrunError NOT_FOUND where it is gone; USAGE where it has some in another data root; EXISTS where the directory is
 *   of another container
 */
export function noteAttached(
  { root, dataRoot }: Roots,
  { state: { id }, dataDirectory }: Container,
  lock: number,
): void {
  const directory = containerDirectory(dataRoot, id);
  const noted = assertHere(root, id, lock);
  const isOwn = noted !== undefined || isHere(lock, dataDirectory) || hasRecord(dataRoot, id);
  if (!isOwn && listDirectory(directory).length > 0)
    throw new TinyrunError('EXISTS', `${directory} is of another container with the id ${id}`, {
      hint: 'give another --data-root; if that container is gone: tinyrun volume prune',
      data: { id },
    });
  const result = rawSyscall('symlinkat', directory, AT_FDCWD, `${root}/${id}/${ATTACHED}`);
  if (result === -errnos['ENOENT']!) throw notFound(root, id);
  if (result < 0 && result !== -errnos['EEXIST']!)
    throw new SystemError(`note in ${root}/${id} that the container gets a mount`, -result);
  assertHere(root, id, lock); // another tinyrun may have been faster, with its data root
}

/** Whether a path is one of the names of the directory that is locked. */
const isHere = (lock: number, path: string | undefined): boolean => path !== undefined && isAt(lock, path);

/** What is noted, if anything is: nothing but the directory that is locked. */
function assertHere(root: string, id: string, lock: number): string | undefined {
  const noted = readAttached(root, id);
  if (noted !== undefined && !isHere(lock, noted))
    throw new TinyrunError('USAGE', `container ${id} has attached volumes of another data root`, {
      hint: `give --data-root ${noted.slice(0, -`/containers/${id}`.length)}`,
      data: { id },
    });
  return noted;
}

/**
 * Takes that back where nothing is attached (any more), and the directory where the container has nothing else in it. A note of
 * another data root stays.
 * @param lock as above
 * @throws TinyrunError, SystemError
 */
export function forgetUnlessAttached({ root, dataRoot }: Roots, id: string, lock: number): void {
  const mounts = readUses(dataRoot, id)?.mounts ?? [];
  if (mounts.some(isAttached)) return;
  const directory = containerDirectory(dataRoot, id);
  if (isHere(lock, readAttached(root, id))) {
    const hasOwn = hasRecord(dataRoot, id) || isHere(lock, findContainer(root, id)?.dataDirectory);
    if (!hasOwn) for (const name of listDirectory(directory)) removeTree(AT_FDCWD, `${directory}/${name}`);
    // The directory goes last: whoever makes it again makes the note again.
    const note = `${root}/${id}/${ATTACHED}`;
    const result = rawSyscall('unlinkat', AT_FDCWD, note, 0);
    if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove ${note}`, -result);
  }
  rawSyscall('unlinkat', AT_FDCWD, directory, flag('AT_REMOVEDIR')); // if it is empty: else it is in use
}
