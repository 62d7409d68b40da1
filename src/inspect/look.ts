// Looking at files below a directory of a container: by descriptor, without opening them, and never out of it. No name
// is trusted: each is opened with openat2(2), where symlinks lead nowhere and a device is not touched (O_PATH).

import { close, flag, rawOpenat2, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { PIN, readLink } from '../disk/files.ts';
import { type Inode, pathOf, S_IFDIR, S_IFLNK, statInode } from '../disk/inode.ts';
import { errnos } from '../sys/errno.ts';

/** What is at a path. */
export interface Seen extends Inode {
  /** Of a symlink, where it points to. */
  link: string | undefined;
  /** The mount that it is in, as mountinfo numbers it. */
  mountId: number;
  /** An overlay's directory that hides what the layers below have in it. */
  opaque: boolean;
  /** Nobody may change it: chattr(1) `i`, and `a`, which lets it grow. */
  immutable: boolean;
  appendOnly: boolean;
}

/** A container changes what is there while we look: then it is no more than gone. */
const GONE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'ENAMETOOLONG', 'EAGAIN', 'ESTALE'];

/**
 * Looks at a path below a directory, whose components must not be symlinks, but for the last.
 * @param path relative; empty is the directory itself
 * @param mounts whether mounts below the directory are entered
 * @returns undefined where nothing is there
 * @throws SystemError
 */
export function lookAt(directory: number, path: string, mounts: boolean): Seen | undefined {
  const resolve = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS', ...(mounts ? [] : ['RESOLVE_NO_XDEV']));
  const fd = rawOpenat2(directory, path === '' ? '.' : path, PIN, resolve);
  if (GONE.some((name) => fd === -errnos[name]!)) return undefined;
  if (fd < 0) throw new SystemError(`look at ${path}`, -fd);
  try {
    return lookAtOpen(fd, path);
  } catch (error) {
    if (error instanceof SystemError && GONE.includes(error.errno)) return undefined;
    throw error;
  } finally {
    close(fd);
  }
}

/**
 * The same of an open file or directory.
 * @param what its path, for messages
 */
export function lookAtOpen(fd: number, what: string): Seen {
  const inode = statInode(fd, `look at ${what}`);
  return {
    ...inode,
    link: inode.type === S_IFLNK ? targetOf(fd, what) : undefined,
    opaque: inode.type === S_IFDIR && isOpaque(fd),
    ...moreOf(fd, what),
  };
}

const STATX_MNT_ID = 0x1000; // <linux/stat.h>
const [IMMUTABLE, APPEND] = [0x10, 0x20]; // STATX_ATTR_*

function moreOf(fd: number, what: string): Pick<Seen, 'mountId' | 'immutable' | 'appendOnly'> {
  const bytes = new Uint8Array(256);
  const result = rawSyscall('statx', fd, '', flag('AT_EMPTY_PATH'), STATX_MNT_ID, bytes);
  if (result < 0) throw new SystemError(`look at ${what}`, -result);
  const view = new DataView(bytes.buffer);
  const attributes = view.getUint32(8, true); // stx_attributes, whose lower half has both
  return {
    mountId: Number(view.getBigUint64(144, true)), // stx_mnt_id
    immutable: (attributes & IMMUTABLE) !== 0,
    appendOnly: (attributes & APPEND) !== 0,
  };
}

function targetOf(link: number, what: string): string {
  const target = readLink(link, '', `read symlink ${what}`);
  if (target !== undefined) return target;
  // In proc, `self` is who looks, and we are no process of the container's: its first one is meant.
  if (what.endsWith('proc/self')) return '1';
  if (what.endsWith('proc/thread-self')) return '1/task/1';
  throw new SystemError(`read symlink ${what}`, errnos['ENOENT']!);
}

/** Overlays of root mark it with a trusted attribute, those of a user namespace with one of the user's. */
function isOpaque(fd: number): boolean {
  const value = new Uint8Array(2);
  return ['trusted.overlay.opaque', 'user.overlay.opaque'].some(
    (name) => rawSyscall('getxattr', pathOf(fd), name, value, value.length) === 1 && value[0] === 0x79, // y
  );
}
