// A part of a volume or of an image: resolved once, inside of it, and from then on used by its descriptor. Whoever writes to
// the volume may put a symbolic link anywhere in it at any time.

import { close, fcntl, flag, rawOpenat2, rawSyscall } from '../../native-bindings/libc.ts';
import { S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { FlagMount } from '../plan/input.ts';
import { errnoName, errnoWords } from '../sys/errno.ts';

const AT_FDCWD = flag('AT_FDCWD');

/**
 * Opens a directory of the host that the store or a driver has named.
 * @param what an infinitive, for the message
 * @throws TinyrunError HOST
 */
export function openDirectoryAt(path: string, what: string): number {
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC'), 0);
  if (fd < 0) throw failed('HOST', `${what}: open ${path}`, -fd);
  return fd;
}

/** Pins what is at a relative path, symlinks and all, but never outside. Returns a descriptor or the negative errno. */
export const openBelow = (directory: number, path: string): number =>
  rawOpenat2(directory, path, flag('O_PATH', 'O_CLOEXEC'), flag('RESOLVE_BENEATH', 'RESOLVE_NO_MAGICLINKS'));

/**
 * The same mount, of a part of its source.
 * @param directory of the whole
 * @param subpath relative
 * @param whose for messages: `volume data`
 * @throws TinyrunError CONFIG where it is not there, or leads out
 */
export function openSubpath(mount: FlagMount, directory: number, subpath: string, whose: string): FlagMount {
  const fd = openBelow(directory, subpath);
  if (fd >= 0) {
    const kind = statInode(fd, subpath).type === S_IFDIR ? 'directory' : 'file';
    return { ...mount, fd: inheritable(fd), kind };
  }
  throw subpathError(mount, subpath, whose, -fd);
}

/** Why a subpath cannot be opened. */
export function subpathError(
  { from }: FlagMount,
  subpath: string,
  whose: string,
  errno: number,
): TinyrunError {
  const name = errnoName(errno);
  const what = `${from}: cannot access subpath ${subpath} of ${whose}`;
  if (name === 'EXDEV')
    return new TinyrunError('CONFIG', `${what}: it leads out of it`, { data: { errno: name } });
  return failed('CONFIG', what, errno, name === 'ENOENT' ? { hint: 'it must be there before' } : {});
}

/** The program that is planned finds it under this number, far from those that the standard streams of a caller have. */
function inheritable(fd: number): number {
  const moved = fcntl(fd, flag('F_DUPFD_CLOEXEC'), FIRST);
  close(fd);
  fcntl(moved, flag('F_SETFD'), 0);
  return moved;
}

const FIRST = 100;

/** An error of the kernel, as `WHAT: ENAME words`. */
export function failed(
  code: 'CONFIG' | 'HOST',
  what: string,
  errno: number,
  options: { hint?: string } = {},
): TinyrunError {
  const name = errnoName(errno);
  return new TinyrunError(code, `${what}: ${name} ${errnoWords[name] ?? ''}`, {
    ...options,
    data: { errno: name },
  });
}
