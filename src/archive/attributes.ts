// Owner, mode, extended attributes and times of one file, set by its descriptor: no name is used a second time, and nothing
// is followed (CVE-2021-32760: a mode set through a symlink of the archive).

import { flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errno, must, NO_PATH, pathOf, xattrsOf } from '../disk/inode.ts';
import { type ByteString, byteString, displayName, pathBytes } from './names.ts';
import type { NewFile } from './new-files.ts';
import type { Time } from './pax.ts';

export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  mtime: Time;
  xattrs: readonly (readonly [name: ByteString, value: Uint8Array])[];
}

const AT_EMPTY_PATH = flag('AT_EMPTY_PATH');
const AT_FDCWD = flag('AT_FDCWD');

/** Marks of overlayfs: of a layer they would be orders to the kernel (trusted.overlay.redirect leads anywhere). */
const OVERLAY = /^(trusted|user)\.overlay\./;
/** Of security.*, labels belong to the host's policy; file capabilities belong to the file. */
const KEPT = /^(user\.|trusted\.|security\.capability$|system\.posix_acl_(access|default)$)/;

/** Whether an extended attribute goes into archives and comes out of them. */
const isPortable = (name: ByteString): boolean => KEPT.test(name) && !OVERLAY.test(name);

/**
 * Sets all attributes of a file.
 * @param fd of it; O_PATH will do
 * @param what begins the messages
 * @param has what it has already, which is not set
 * @throws SystemError
 */
export function setAttributes(
  fd: number,
  attributes: Attributes,
  what: string,
  has: Partial<NewFile> = {},
): void {
  const { mode, uid, gid } = attributes;
  // In this order: chown(2) takes away setuid bits and capabilities, and an ACL refines the mode.
  if (has.uid !== uid || has.gid !== gid)
    must(
      rawSyscall('fchownat', fd, NO_PATH, uid, gid, AT_EMPTY_PATH),
      `${what}: set its owner ${uid}:${gid}`,
    );
  if (has.mode !== mode) must(setMode(fd, mode), `${what}: set its mode`);
  for (const [name, value] of attributes.xattrs) if (isPortable(name)) setXattr(fd, name, value, what);
  must(setTimes(fd, attributes.mtime), `${what}: set its times`);
}

/** fchmod(2) refuses a descriptor of O_PATH. */
function setMode(fd: number, mode: number): number {
  const result = rawSyscall('fchmod', fd, mode);
  return result === errno('EBADF') ? rawSyscall('fchmodat', AT_FDCWD, pathOf(fd), mode) : result;
}

/** struct timespec[2], a number in two halves each: BigInts would be made for every file. */
const times = new DataView(new ArrayBuffer(32));
const timesBytes = new Uint8Array(times.buffer);

/** Access time as well: who reads the file changes it soon enough, and two unpackings are alike. */
function setTimes(fd: number, { seconds, nanoseconds }: Time): number {
  for (const at of [0, 16]) {
    times.setUint32(at, seconds >>> 0, true);
    times.setInt32(at + 4, Math.floor(seconds / 2 ** 32), true);
    times.setUint32(at + 8, nanoseconds, true);
  }
  return rawSyscall('utimensat', fd, NO_PATH, timesBytes, AT_EMPTY_PATH);
}

function setXattr(fd: number, name: ByteString, value: Uint8Array, what: string): void {
  const result = rawSyscall('setxattr', pathOf(fd), pathBytes(name), value, value.length, 0);
  // user.* is not for every kind of file, and not every filesystem has all of them.
  if (result === errno('EOPNOTSUPP') || (result === errno('EPERM') && name.startsWith('user.'))) return;
  if (result < 0) throw new SystemError(`${what}: set extended attribute ${displayName(name)}`, -result);
}

/** The extended attributes of a file that archives keep, by name. @throws SystemError */
export const readXattrs = (fd: number, what: string): [ByteString, Uint8Array][] =>
  [...xattrsOf(pathOf(fd), what)]
    .map(([name, value]): [ByteString, Uint8Array] => [byteString(name), value])
    .filter(([name]) => isPortable(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
