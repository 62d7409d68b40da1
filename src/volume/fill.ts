// Copy-up: a new, empty volume takes what the rootfs has at its mount point, and the owner and mode of that directory.
// Only into an empty one: what somebody put there stays (podman CVE-2020-1726). The mount point is looked for inside the
// root (containerd CVE-2022-23648).
//
//   .tinyrun-copy-up     the copy while it is made: whoever finds it, with the volume's lock, removes it and begins again
//   .tinyrun-copied-up   the whole copy, whose entries move to their place: whoever finds it goes on with that
//
// They are beside _data, where no container sees them, or inside of the volume where that is another filesystem.

import { close, flag, rawOpenat2, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { startProgress } from '../archive/progress.ts';
import { copyTree } from '../disk/copy-tree.ts';
import { AT_FDCWD, exists, openDirectory, readDirectory, readNames, removeTree } from '../disk/files.ts';
import { copyAttributes, type Owner, statInode } from '../disk/inode.ts';
import { lockDirectory } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';

const COPYING = '.tinyrun-copy-up';
const COPIED = '.tinyrun-copied-up';

export interface Filling {
  dataRoot: string;
  name: string;
  /** The volume's, open. */
  directory: number;
  /** Of the container, merged and open. */
  root: number;
  /** In the container, absolute. */
  destination: string;
  /** Who gets an empty volume for which the root has nothing. */
  owner: Owner;
}

/**
 * Fills a volume, if it is empty. Two callers at once: one copies, the other waits for it.
 * @throws TinyrunError HOST where the copy fails; the volume is as empty as before
 */
export function fillVolume(filling: Filling): void {
  const { dataRoot, name, directory } = filling;
  // Without the lock first: most volumes have something in them, and there is nothing to wait for.
  if (!isEmpty(dataRoot, name, directory)) return;
  const own = `${dataRoot}/volumes/${name}`;
  const lock = lockDirectory(own);
  try {
    const beside = deviceOf(lock) === deviceOf(directory);
    fillLocked(filling, beside ? lock : directory);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new TinyrunError(
      'HOST',
      `fill volume ${name} with what is at ${filling.destination}: ${error.message}`,
      {
        cause: error,
        ...(error.errno === 'ENOSPC' ? { hint: 'give the volume more space, or mount it with nocopy' } : {}),
      },
    );
  } finally {
    close(lock);
  }
}

/**
 * Whether a volume is to be filled: it has nothing in it, or a copy that has not moved to its place.
 * @param directory the volume's, open
 */
export const isEmpty = (dataRoot: string, name: string, directory: number): boolean =>
  !isFilled(directory) ||
  exists(directory, COPIED) ||
  exists(AT_FDCWD, `${dataRoot}/volumes/${name}/${COPIED}`);

const deviceOf = (fd: number): string => statInode(fd, 'look at the volume').identity.split(':', 2).join(':');

/** Whether there is anything in a volume that is not of a copy. */
const isFilled = (directory: number): boolean =>
  readDirectory(directory).some((name) => !OURS.includes(name));

/** mkfs makes the last one in every new filesystem. */
const OURS = [COPYING, COPIED, 'lost+found'];

/** @param place of the copy while it is made */
function fillLocked({ name, directory, root, destination, owner }: Filling, place: number): void {
  removeTree(place, COPYING);
  let copied = openDirectory(place, COPIED);
  if (copied === undefined) {
    if (isFilled(directory)) return;
    const path = destination.slice(1) || '.';
    const resolve = flag('RESOLVE_IN_ROOT', 'RESOLVE_NO_MAGICLINKS');
    const from = rawOpenat2(root, path, flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC'), resolve);
    if (from < 0) {
      // Nothing there, or nothing that could be copied: the mount itself will say what is wrong with it.
      if (isFresh(directory)) giveTo(directory, owner);
      return;
    }
    try {
      if (readNames(from).length === 0) {
        copyAttributes(from, directory, statInode(from, destination), 'set the attributes of the volume');
        return;
      }
      copied = copyAside(from, place, `fill volume ${name}`);
    } finally {
      close(from);
    }
  }
  try {
    moveIn(copied, directory);
    syscall('remove the empty copy', 'unlinkat', place, COPIED, flag('AT_REMOVEDIR'));
  } finally {
    close(copied);
  }
}

/** Copies a directory to COPYING, and calls it COPIED when it is whole. Returns it, open. */
function copyAside(from: number, place: number, label: string): number {
  syscall('make a directory for the copy', 'mkdirat', place, COPYING, 0o700);
  const copy = openDirectory(place, COPYING);
  if (copy === undefined) throw new SystemError('open the copy', errnos['ESTALE']!);
  const progress = startProgress(label);
  try {
    copyTree(from, copy, { onEntry: progress.advance });
    syscall('keep the copy', 'renameat2', place, COPYING, place, COPIED, flag('RENAME_NOREPLACE'));
    return copy;
  } catch (error) {
    close(copy);
    removeTree(place, COPYING);
    throw error;
  } finally {
    progress.end();
  }
}

/** Moves all entries to their place, and the directory's own attributes. */
function moveIn(copied: number, directory: number): void {
  const inode = statInode(copied, 'look at the copy');
  for (const name of readNames(copied)) {
    const result = rawSyscall('renameat2', copied, name, directory, name, flag('RENAME_NOREPLACE'));
    // A container that has the volume has made it meanwhile: what somebody has written stays.
    if (result === -errnos['EEXIST']!) removeTree(copied, new TextDecoder().decode(name.subarray(0, -1)));
    else if (result < 0) throw new SystemError('move the copy to its place', -result);
  }
  copyAttributes(copied, directory, inode, 'set the attributes of the volume');
}

/** A volume that nobody has changed yet: as the store makes it. */
const isFresh = (directory: number): boolean => {
  const { uid, gid, mode } = statInode(directory, 'look at the volume');
  return uid === 0 && gid === 0 && mode === 0o755;
};

function giveTo(directory: number, { uid, gid }: Owner): void {
  if (uid === 0 && gid === 0) return;
  syscall('give the volume to the root of the container', 'fchown', directory, uid, gid);
}
