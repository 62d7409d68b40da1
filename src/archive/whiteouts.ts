// How a layer says that something of the layers below is gone. In archives by names (OCI image-spec, layer.md,
// "Whiteouts"; they come from AUFS), on disk as overlayfs has it (overlayfs.rst, "whiteouts and opaque directories"):
//
//   .wh.NAME         NAME is gone                     a character device 0:0 in its place
//   .wh..wh..opq     nothing of the directory below   trusted.overlay.opaque=y on the directory
//   .wh..wh.ANY      AUFS's own housekeeping          nothing
//
// A whiteout is about the layers below only: what the same layer has under that name stays, wherever in the archive.

import { rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errno, must, pathOf } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { type ByteString, displayName, pathBytes } from './names.ts';

export const PREFIX = '.wh.';
const META = '.wh..wh.';
export const OPAQUE = '.wh..wh..opq';
const OPAQUE_XATTR = 'trusted.overlay.opaque';
const S_IFCHR = 0o020000; // <linux/stat.h>

export type Whiteout = { kind: 'gone'; base: ByteString } | { kind: 'opaque' } | { kind: 'housekeeping' };

/**
 * What a path is by its name.
 * @throws TinyrunError ARCHIVE: a whiteout of no name, of `.` or `..`, or with something below
 */
export function whiteoutOf(path: ByteString): Whiteout | undefined {
  if (!path.includes(PREFIX)) return undefined;
  const parts = path.split('/');
  if (parts.some((part) => part.startsWith(META) && part !== OPAQUE)) return { kind: 'housekeeping' };
  const base = parts.pop()!;
  if (parts.some((part) => part.startsWith(PREFIX)))
    throw new TinyrunError('ARCHIVE', 'there is nothing below a whiteout');
  if (base === OPAQUE) return { kind: 'opaque' };
  if (!base.startsWith(PREFIX)) return undefined;
  const hidden = base.slice(PREFIX.length);
  if (hidden === '' || hidden === '.' || hidden === '..')
    throw new TinyrunError('ARCHIVE', `a whiteout of ${JSON.stringify(hidden)}, which is no name`);
  return { kind: 'gone', base: hidden };
}

/** Makes a directory opaque. @throws SystemError */
export function setOpaque(fd: number, path: ByteString): void {
  const value = Buffer.from('y');
  const result = rawSyscall('setxattr', pathOf(fd), OPAQUE_XATTR, value, value.length, 0);
  must(result, `unpack ${displayName(path)}: make the directory opaque`);
}

/** @throws SystemError */
export function isOpaque(fd: number): boolean {
  const value = new Uint8Array(2);
  const got = rawSyscall('getxattr', pathOf(fd), OPAQUE_XATTR, value, value.length);
  if (got === errno('ENODATA') || got === errno('EOPNOTSUPP') || got === errno('ERANGE')) return false;
  return must(got, 'read whether a directory is opaque') === 1 && value[0] === 0x79; // y
}

/** Makes a whiteout. Returns false where something is in its place. @throws SystemError */
export function makeWhiteout(directory: number, base: ByteString): boolean {
  const result = rawSyscall('mknodat', directory, pathBytes(base), S_IFCHR, 0);
  if (result === errno('EEXIST')) return false;
  if (result < 0) throw new SystemError(`unpack ${displayName(base)}: make the whiteout`, -result);
  return true;
}

/** Whether what is there is one. */
export const isWhiteout = (inode: { type: number; device: number }): boolean =>
  inode.type === S_IFCHR && inode.device === 0;
