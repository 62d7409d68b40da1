// How much is in a volume: what its regular files take on the disk, without holes, and no file twice. The tree may be
// hostile, and change meanwhile: names are looked at by descriptors that follow no symlink and enter no other mount, and
// only the innermost directory is open, so that no depth is too deep.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY, type Name, PIN, readNames } from '../disk/files.ts';
import { errno, type Inode, S_IFDIR, S_IFREG, statInode } from '../disk/inode.ts';
import { volumesOf } from './directory.ts';
import { driverOf } from './driver.ts';
import type { Volume } from './volume.ts';

export interface Usage {
  /** Of each file its length, or what is allocated of it where that is less. */
  bytes: number;
  /** Regular files; one with several names counts once. */
  files: number;
}

/**
 * How much is in a volume, if its data is on this host at the moment: nothing is mounted for that.
 * @throws SystemError
 */
export async function usageNow(dataRoot: string, volume: Volume): Promise<Usage | undefined> {
  const driver = await driverOf(volume.driver);
  const place = { dataRoot, name: volume.name, directory: `${volumesOf(dataRoot)}/${volume.name}` };
  if (volume.mountpoint === '' || (driver.mounts(volume) && !driver.isMounted(place))) return undefined;
  return usageOf(volume.mountpoint);
}

/**
 * How much is in a directory.
 * @param path absolute
 * @returns undefined where it is not there
 * @throws SystemError
 */
export function usageOf(path: string): Usage | undefined {
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC'), 0);
  if (fd === errno('ENOENT')) return undefined;
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  const top = statInode(fd, path);
  const usage: Usage = { bytes: 0, files: 0 };
  const seen = new Set<string>();
  walk(
    fd,
    (inode) => {
      if (inode.type !== S_IFREG || (inode.links > 1 && seen.has(inode.identity))) return;
      if (inode.links > 1) seen.add(inode.identity);
      usage.files++;
      usage.bytes += Math.min(inode.size, inode.stored);
    },
    deviceOf(top),
  );
  return usage;
}

const deviceOf = (inode: Inode): string => inode.identity.slice(0, inode.identity.lastIndexOf(':'));

/** A directory on the way down; its descriptor is only open while it is the innermost. */
interface Level {
  identity: string;
  left: Name[];
}

/** Calls `look` for all that is below a directory on the same filesystem. Closes the directory. */
function walk(top: number, look: (inode: Inode) => void, device: string): void {
  let fd = top;
  const levels: Level[] = [];
  try {
    levels.push(enter(fd));
    for (let here = levels.at(-1); here !== undefined; here = levels.at(-1)) {
      const name = here.left.pop();
      const below = name === undefined ? undefined : lookAt(fd, name, look, device);
      if (below !== undefined) {
        close(fd);
        fd = below;
        levels.push(enter(fd));
      } else if (name === undefined) {
        levels.pop();
        const parent = levels.at(-1);
        if (parent !== undefined) fd = back(fd, parent);
      }
    }
  } finally {
    close(fd);
  }
}

const enter = (fd: number): Level => ({
  identity: statInode(fd, 'look at a directory').identity,
  left: readNames(fd),
});

/** Looks at one name. Returns a directory to go down into, open. */
function lookAt(dir: number, name: Name, look: (inode: Inode) => void, device: string): number | undefined {
  const pin = rawSyscall('openat', dir, name, PIN, 0);
  if (pin === errno('ENOENT')) return undefined; // it was removed meanwhile
  if (pin < 0) throw new SystemError('look at a file', -pin);
  try {
    const inode = statInode(pin, 'look at a file');
    look(inode);
    if (inode.type !== S_IFDIR || deviceOf(inode) !== device) return undefined;
    const below = rawSyscall('openat', pin, '.', DIRECTORY, 0);
    return below < 0 ? undefined : below;
  } finally {
    close(pin);
  }
}

/** The directory around one; that must be the one we came from. */
function back(fd: number, parent: Level): number {
  const up = rawSyscall('openat', fd, '..', DIRECTORY, 0);
  if (up < 0) throw new SystemError('go back to a directory', -up);
  if (statInode(up, 'look at a directory').identity === parent.identity) {
    close(fd);
    return up;
  }
  close(up);
  throw new SystemError('go back to a directory: it was moved meanwhile', -errno('ESTALE'));
}
