// What tells the end of a container that it got mounts while it ran: a symlink in its state directory (ATTACHED), to the
// directory that says which they are. Whoever removes the state directory finds it not empty, be it a program that was planned
// long before, and has what it leads to undone.
//
// Made before anything else is, and only then it is looked whether the container runs: so whoever has seen its end sees this.

import { flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, listDirectory, removeTree } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { ATTACHED, containerDirectory } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { isAttached } from '../volume/release.ts';
import { hasRecord, readUses } from '../volume/uses.ts';
import type { GlobalOptions } from './options.ts';
import { type Container, findContainer, notFound, readAttached } from './store.ts';

type Roots = Pick<GlobalOptions, 'root' | 'dataRoot'>;

/**
 * Notes that a container has mounts that came while it ran; noted twice is fine. The directory is locked by the caller.
 * @throws TinyrunError NOT_FOUND where it is gone; USAGE where it has some in another data root; EXISTS where the directory is
 *   of another container
 */
export function noteAttached({ root, dataRoot }: Roots, { state: { id }, dataDirectory }: Container): void {
  const directory = containerDirectory(dataRoot, id);
  const isOwn =
    dataDirectory === directory || readAttached(root, id) === directory || hasRecord(dataRoot, id);
  if (!isOwn && listDirectory(directory).length > 0)
    throw new TinyrunError('EXISTS', `${directory} is of another container with the id ${id}`, {
      hint: 'give another --data-root; if that container is gone: tinyrun volume prune',
      data: { id },
    });
  const result = rawSyscall('symlinkat', directory, AT_FDCWD, `${root}/${id}/${ATTACHED}`);
  if (result === -errnos['ENOENT']!) throw notFound(root, id);
  if (result < 0 && result !== -errnos['EEXIST']!)
    throw new SystemError(`note in ${root}/${id} that the container gets a mount`, -result);
  const noted = readAttached(root, id);
  if (noted !== undefined && noted !== directory)
    throw new TinyrunError('USAGE', `container ${id} has attached volumes of another data root`, {
      hint: `give --data-root ${noted.slice(0, -`/containers/${id}`.length)}`,
      data: { id },
    });
}

/**
 * Takes that back where nothing is attached (any more), and the directory where the container has nothing else in it. That is
 * locked by the caller.
 * @throws TinyrunError, SystemError
 */
export function forgetUnlessAttached({ root, dataRoot }: Roots, id: string): void {
  const mounts = readUses(dataRoot, id)?.mounts ?? [];
  if (mounts.some(isAttached)) return;
  const directory = containerDirectory(dataRoot, id);
  const hasOwn = hasRecord(dataRoot, id) || findContainer(root, id)?.dataDirectory !== undefined;
  const made = !hasOwn && readAttached(root, id) === directory;
  if (made) for (const name of listDirectory(directory)) removeTree(AT_FDCWD, `${directory}/${name}`);
  // The directory goes last: whoever makes it again makes the note again.
  const note = `${root}/${id}/${ATTACHED}`;
  const result = rawSyscall('unlinkat', AT_FDCWD, note, 0);
  if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove ${note}`, -result);
  rawSyscall('unlinkat', AT_FDCWD, directory, flag('AT_REMOVEDIR')); // if it is empty: else it is in use
}
