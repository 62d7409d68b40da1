// What a file is, and its attributes set on another: statx(2), xattr(7). Files are given as descriptors, mostly of
// O_PATH: these pin a file, of whatever kind, without opening it, and whoever swaps its name meanwhile changes nothing.
// What the kernel offers by path only goes through /proc/self/fd/N, which leads to the pinned file itself, be it a
// symlink (proc_pid_fd(5)).

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errnos } from '../sys/errno.ts';
import { AT_FDCWD, openDirectory } from './files.ts';

export const errno = (name: string): number => -errnos[name]!;

const AT_EMPTY_PATH = flag('AT_EMPTY_PATH');
const STATX_BASIC_STATS = flag('STATX_BASIC_STATS');
const S_IFMT = 0o170000; // <linux/stat.h>
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** Who a file belongs to: ids of the host. */
export interface Owner {
  uid: number;
  gid: number;
}

export interface Inode extends Owner {
  /** S_IFREG and the like. */
  type: number;
  /** The bits of chmod(2). */
  mode: number;
  size: number;
  links: number;
  /** As mknod(2) takes it. */
  device: number;
  /** Two files with the same identity are one. */
  identity: string;
  /** Bytes on disk: fewer than `size` where it has holes. */
  stored: number;
  mtime: { seconds: number; nanoseconds: number };
  /** Access and modification: struct timespec[2], as utimensat(2) takes them. */
  times: Uint8Array;
}

/** The inode's number in an identity, as stat(1) shows it. */
export function inodeNumber({ identity }: Inode): bigint {
  const [high = '0', low = '0'] = identity.slice(identity.lastIndexOf(':') + 1).split('.');
  return (BigInt(high) << 32n) | BigInt(low);
}

/** What may be left as it is when attributes are set. */
export type Kept = 'mode' | 'uid' | 'gid';

/**
 * The value of a call that must not fail.
 * @param what was tried, for the message
 * @param step of it: joined to it only where it fails, for a copy makes hundreds of thousands of calls
 * @throws SystemError
 */
export function must(result: number, what: string, step?: string): number {
  if (result < 0) throw new SystemError(step === undefined ? what : `${what}: ${step}`, -result);
  return result;
}

/** Where a descriptor's file is to be found by path. */
export const pathOf = (fd: number): string => `/proc/self/fd/${fd}`;

/** A path for AT_EMPTY_PATH. */
export const NO_PATH = new Uint8Array(1);
/** A struct statx, by bytes and by words of 32 bits: to read words in place is cheapest, and a copy looks at every file. */
const statxBytes = new Uint8Array(256);
const words = new Uint32Array(statxBytes.buffer);
const [STX_ATIME, STX_BTIME, STX_MTIME, TIMESTAMP_SIZE] = [64, 80, 112, 16];

/** The identity of the file that a struct statx tells of. */
export const identityIn = (statx: Uint32Array): string =>
  `${statx[136 / 4]}:${statx[140 / 4]}:${statx[36 / 4]}.${statx[32 / 4]}`;

/** Looks at a file; throws SystemError. The offsets are those of struct statx; sizes are exact up to 2^53. */
export function statInode(fd: number, what: string): Inode {
  must(rawSyscall('statx', fd, NO_PATH, AT_EMPTY_PATH, STATX_BASIC_STATS, statxBytes), what);
  const mode = words[28 / 4]! & 0xffff;
  const major = words[128 / 4]!;
  const minor = words[132 / 4]!;
  // A struct statx_timestamp is a struct timespec; the time of birth, which was not asked for, makes room.
  statxBytes.copyWithin(STX_BTIME, STX_MTIME, STX_MTIME + TIMESTAMP_SIZE);
  return {
    type: mode & S_IFMT,
    mode: mode & 0o7777,
    uid: words[20 / 4]!,
    gid: words[24 / 4]!,
    size: words[44 / 4]! * 2 ** 32 + words[40 / 4]!,
    links: words[16 / 4]!,
    device: ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, // <linux/kdev_t.h>: new_encode_dev
    identity: identityIn(words),
    stored: 512 * (words[52 / 4]! * 2 ** 32 + words[48 / 4]!),
    mtime: { seconds: (words[116 / 4]! | 0) * 2 ** 32 + words[112 / 4]!, nanoseconds: words[120 / 4]! },
    times: statxBytes.slice(STX_ATIME, STX_ATIME + 2 * TIMESTAMP_SIZE),
  };
}

/** The number of the mount that a file is on, in this mount namespace: stx_mnt_id of statx(2). Throws SystemError. */
export function mountIdOf(fd: number, what: string): bigint {
  must(rawSyscall('statx', fd, NO_PATH, AT_EMPTY_PATH, flag('STATX_MNT_ID'), statxBytes), what);
  return new DataView(statxBytes.buffer).getBigUint64(144, true);
}

/**
 * Whether an open directory still has its name: who waited for its lock asks, for it may have been removed meanwhile.
 * @throws SystemError
 */
export function isAt(fd: number, path: string): boolean {
  const now = openDirectory(AT_FDCWD, path);
  if (now === undefined) return false;
  try {
    return statInode(fd, path).identity === statInode(now, path).identity;
  } finally {
    close(now);
  }
}

/** Gives the file of `to` the owner, mode, extended attributes and times of the one of `from`; throws SystemError. */
export function copyAttributes(
  from: number,
  to: number,
  inode: Inode,
  what: string,
  keep?: ReadonlySet<Kept>,
): void {
  const uid = keep?.has('uid') ? -1 : inode.uid;
  const gid = keep?.has('gid') ? -1 : inode.gid;
  // In this order: chown(2) takes away setuid bits and capabilities, and an ACL refines the mode.
  must(rawSyscall('fchownat', to, '', uid, gid, AT_EMPTY_PATH), what, `set its owner ${uid}:${gid}`);
  if (inode.type !== S_IFLNK && !keep?.has('mode'))
    must(rawSyscall('fchmodat', flag('AT_FDCWD'), pathOf(to), inode.mode), what, 'set its mode');
  copyXattrs(pathOf(from), pathOf(to), what);
  must(rawSyscall('utimensat', to, '', inode.times, AT_EMPTY_PATH), what, 'set its times');
}

/**
 * The same for files that are open for reading and writing, which is quicker.
 * @param made the copy was made with this owner and these permissions
 * @throws SystemError
 */
export function copyFileAttributes(
  from: number,
  to: number,
  inode: Inode,
  made: boolean,
  what: string,
): void {
  const { uid, gid, mode } = inode;
  if (!made) must(rawSyscall('fchown', to, uid, gid), what, `set its owner ${uid}:${gid}`);
  if (!made || mode > 0o777) must(rawSyscall('fchmod', to, mode), what, 'set its mode');
  if (rawSyscall('flistxattr', from, null, 0) !== 0) copyXattrs(from, to, what); // most files have none
  must(rawSyscall('utimensat', to, null, inode.times, 0), what, 'set its times');
}

/** A file for calls on extended attributes: by path, which is followed, or open. */
type File = string | number;

/** Copies what the filesystem of `to` can keep: user.* is not for every kind of file and filesystem. */
function copyXattrs(from: File, to: File, what: string): void {
  for (const [name, value] of xattrsOf(from, what)) {
    const call = typeof to === 'number' ? 'fsetxattr' : 'setxattr';
    const result = rawSyscall(call, to, name, value, value.length, 0);
    if (result !== errno('EOPNOTSUPP'))
      must(result, what, `copy extended attribute ${decodeName(name.subarray(0, -1))}`);
  }
}

/**
 * The extended attributes of a file, none where its filesystem has none. Names are NUL-terminated.
 * @throws SystemError
 */
export function* xattrsOf(file: File, what: string): Generator<[name: Uint8Array, value: Uint8Array]> {
  const [list, get] = typeof file === 'number' ? (['flistxattr', 'fgetxattr'] as const) : PATH_CALLS;
  const names = readSized((into) => rawSyscall(list, file, into, into?.length ?? 0));
  if (typeof names === 'number') {
    if (names !== errno('EOPNOTSUPP')) must(names, what, 'list its extended attributes');
    return;
  }
  for (let at = 0; at < names.length; at = names.indexOf(0, at) + 1) {
    const name = names.subarray(at, names.indexOf(0, at) + 1);
    const value = readSized((into) => rawSyscall(get, file, name, into, into?.length ?? 0));
    if (value === errno('ENODATA')) continue; // it was removed meanwhile
    if (typeof value === 'number')
      throw new SystemError(`${what}: read extended attribute ${decodeName(name.subarray(0, -1))}`, -value);
    yield [name, value];
  }
}
const PATH_CALLS = ['listxattr', 'getxattr'] as const;

/** Asks for the size and then for the value, again where that has grown meanwhile. Returns a negative errno on failure. */
function readSized(read: (into: Uint8Array | null) => number): Uint8Array | number {
  for (;;) {
    const size = read(null);
    if (size < 0) return size;
    if (size === 0) return new Uint8Array();
    const value = new Uint8Array(size);
    const got = read(value);
    if (got >= 0) return value.subarray(0, got);
    if (got !== errno('ERANGE')) return got;
  }
}

const decoder = new TextDecoder();
/** Bytes of a name, for messages: it need not be UTF-8. */
export const decodeName = (bytes: Uint8Array): string => decoder.decode(bytes);
