// The directory DATA_ROOT/containers/ID, where a container says which volumes it uses: made and locked before that is written;
// of a container of a bundle, removed when that is gone.

import { close, fcntl, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, openDirectory, removeTree } from '../disk/files.ts';
import { isAt } from '../disk/inode.ts';
import { lockOpen } from '../disk/lock.ts';
import { makeDirectories } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { CONTAINER_RECORD, containerDirectory, containersDirectory } from '../oci/state.ts';
import type { UsesInput } from '../plan/input.ts';
import { errnos } from '../sys/errno.ts';
import { releaseUses } from '../volume/release.ts';
import { readUses, USES_MODE } from '../volume/uses.ts';
import type { GlobalOptions } from './options.ts';
import { keepOpen } from './outputs.ts';

/** Descriptor of the lock, where nothing else has it: so that `explain`, which locks nothing, can tell what it will be. */
export const UNLOCKED = 100;

/**
 * Makes and locks the directory that says what a container uses. The host program inherits the descriptor, and closes it
 * when its id is taken.
 * @throws TinyrunError EXISTS if another container has the id, or is being made with it
 */
export function lockUses({ root, dataRoot }: GlobalOptions, id: string): UsesInput {
  const path = containerDirectory(dataRoot, id);
  makeDirectories(containersDirectory(dataRoot), 0o711);
  for (;;) {
    const made = rawSyscall('mkdirat', AT_FDCWD, path, USES_MODE);
    if (made < 0 && made !== -errnos['EEXIST']!) throw new SystemError(`make directory ${path}`, -made);
    const fd = openDirectory(AT_FDCWD, path);
    if (fd === undefined) continue; // who has made it before us has removed it
    const locked = lockOpen(fd, { wait: false });
    const taken =
      !locked || exists(AT_FDCWD, `${path}/${CONTAINER_RECORD}`) || exists(AT_FDCWD, `${root}/${id}`);
    if (!taken && isAt(fd, path)) {
      const lock = fcntl(fd, flag('F_DUPFD_CLOEXEC'), UNLOCKED);
      close(fd);
      return { lock: keepOpen(lock) };
    }
    if (locked && made === 0) rawSyscall('unlinkat', AT_FDCWD, path, flag('AT_REMOVEDIR'));
    close(fd);
    if (taken)
      throw new TinyrunError('EXISTS', `container with given ID already exists: ${id}`, { data: { id } });
  }
}

/**
 * Makes and locks the directory that says what a container uses, one that runs; after waiting for who changes that.
 * @returns a descriptor to close
 * @throws SystemError
 */
export function lockMounts(dataRoot: string, id: string): number {
  const path = containerDirectory(dataRoot, id);
  makeDirectories(containersDirectory(dataRoot), 0o711);
  for (;;) {
    makeDirectories(path, USES_MODE);
    const fd = openDirectory(AT_FDCWD, path);
    if (fd === undefined) continue; // removed meanwhile, as below
    lockOpen(fd);
    if (isAt(fd, path)) return fd;
    close(fd);
  }
}

/** Takes back what gatherVolumes made for a container that does not come to be. Throws TinyrunError, SystemError. */
export async function abandonUses(dataRoot: string, id: string, { lock }: UsesInput): Promise<void> {
  await releaseUses(dataRoot, id, { removeAnonymous: true });
  const containers = openDirectory(AT_FDCWD, containersDirectory(dataRoot));
  if (containers !== undefined) {
    removeTree(containers, id);
    close(containers);
  }
  close(lock);
}

/**
 * Undoes what a container that is gone used; the caller removes its directory.
 * @param directory DATA_ROOT/containers/ID
 * @throws TinyrunError HOST
 */
export async function endUses(directory: string): Promise<void> {
  const [, dataRoot = '', id = ''] = /^(.*)\/containers\/([^/]+)$/.exec(directory) ?? [];
  const removeAnonymous = readUses(dataRoot, id)?.transient === true;
  await releaseUses(dataRoot, id, { removeAnonymous });
}
