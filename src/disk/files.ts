// Directories through raw system calls, for the state store: node:fs costs a millisecond to load, and has no functions
// relative to an open directory, without which a path may lead elsewhere the second time it is used.

import { close, flag, rawOpenat2, rawSyscall, readInto, SystemError } from '../../native-bindings/libc.ts';
import { errnos } from '../sys/errno.ts';

const errno = (name: string): number => -errnos[name]!;

export const AT_FDCWD = flag('AT_FDCWD');
const AT_REMOVEDIR = flag('AT_REMOVEDIR');
export const DIRECTORY = flag('O_RDONLY', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC');

/** Pins a name, whatever it is, symlinks too: it is neither opened nor followed. */
export const PIN = flag('O_PATH', 'O_NOFOLLOW', 'O_CLOEXEC');

/** A directory entry's name, NUL-terminated: names need not be UTF-8. */
export type Name = Uint8Array;
const utf8 = new TextEncoder();
const decoder = new TextDecoder();
/** Of names all bytes count, a byte order mark's too. */
const nameDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const decodeName = (name: Name): string => nameDecoder.decode(name.subarray(0, -1));

/**
 * Opens a directory; of a symlink in the last place, nothing is opened.
 * @param dir fd that a relative path starts from
 * @returns undefined where there is none, or something else
 * @throws SystemError
 */
export function openDirectory(dir: number, path: string): number | undefined {
  const fd = rawSyscall('openat', dir, path, DIRECTORY, 0);
  if (fd === errno('ENOENT') || fd === errno('ENOTDIR')) return undefined;
  if (fd < 0) throw new SystemError(`open directory ${path}`, -fd);
  return fd;
}

/** Whether something is there, be it a dangling symlink. */
export function exists(dir: number, path: string): boolean {
  const fd = rawSyscall('openat', dir, path, flag('O_PATH', 'O_NOFOLLOW', 'O_CLOEXEC'), 0);
  if (fd < 0) return false;
  close(fd);
  return true;
}

/**
 * Reads a small file as text; undefined where there is none.
 * @param limit bytes; of a larger file only these are read
 * @throws SystemError
 */
export function readSmall(dir: number, path: string, limit = 1 << 20): string | undefined {
  const bytes = readSmallBytes(dir, path, limit);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

/** The same as bytes. */
export function readSmallBytes(dir: number, path: string, limit = 1 << 20): Uint8Array | undefined {
  // Of a fifo in its place, nobody would write: that must not be waited for.
  const flags = flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC');
  const fd = rawSyscall('openat', dir, path, flags, 0);
  if (fd === errno('ENOENT')) return undefined;
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  try {
    let bytes = new Uint8Array(4096);
    for (let used = 0; ; ) {
      const got = readInto(fd, bytes.subarray(used));
      if (got < 0) throw new SystemError(`read ${path}`, -got);
      used += got;
      if (got === 0 || used >= limit) return bytes.subarray(0, Math.min(used, limit));
      if (used === bytes.length) {
        const larger = new Uint8Array(bytes.length * 4);
        larger.set(bytes);
        bytes = larger;
      }
    }
  } finally {
    close(fd);
  }
}

/**
 * Where a symlink points to; undefined where there is none, or something else.
 * @param path empty: the symlink that `dir` itself is, pinned
 * @throws SystemError
 */
export function readLink(dir: number, path: string, what = `read symlink ${path}`): string | undefined {
  const target = readLinkBytes(dir, path, what);
  return target === undefined ? undefined : decoder.decode(target);
}

/** The same as bytes. */
export function readLinkBytes(dir: number, path: string, what: string): Uint8Array | undefined {
  const target = new Uint8Array(4096); // PATH_MAX
  const size = rawSyscall('readlinkat', dir, path, target, target.length);
  if (NO_LINK.some((name) => size === errno(name))) return undefined;
  if (size < 0) throw new SystemError(what, -size);
  return target.subarray(0, size);
}
const NO_LINK = ['ENOENT', 'ENOTDIR', 'EINVAL', 'ENAMETOOLONG'];

/**
 * The uid that owns what an fd refers to: statx(2).
 * @throws SystemError
 */
export const ownerOf = (fd: number): number => statx(fd).getUint32(20, true); // stx_uid

/**
 * The type and permissions of what an fd refers to.
 * @throws SystemError
 */
export const modeOf = (fd: number): number => statx(fd).getUint16(28, true); // stx_mode

const STATX_MODE = 2; // <linux/stat.h>

function statx(fd: number): DataView {
  const buffer = new Uint8Array(256);
  const result = rawSyscall('statx', fd, '', flag('AT_EMPTY_PATH'), flag('STATX_UID') | STATX_MODE, buffer);
  if (result < 0) throw new SystemError('statx', -result);
  return new DataView(buffer.buffer);
}

/**
 * The names in a directory, in its order, without `.` and `..`.
 * @throws SystemError
 */
export const readDirectory = (fd: number): string[] =>
  // All at once, each with its NUL: to decode a thousand one by one takes longer than to read them.
  nameDecoder
    .decode(Buffer.concat(readNames(fd)))
    .split('\0')
    .slice(0, -1);

/**
 * The same of a directory by its path; none where there is none.
 * @throws SystemError
 */
export function listDirectory(path: string): string[] {
  const fd = openDirectory(AT_FDCWD, path);
  if (fd === undefined) return [];
  try {
    return readDirectory(fd);
  } finally {
    close(fd);
  }
}

/**
 * The same as bytes: in a directory that is not trusted, a name may be no text.
 * @throws SystemError
 */
export function readNames(fd: number): Name[] {
  const names: Name[] = [];
  for (let batch = firstNames(fd); batch.length > 0; batch = nextNames(fd))
    names.push(...batch.filter(isEntry));
  return names;
}

const DOT = 0x2e;
/** Neither `.` nor `..`; a directory of thousands is no place to decode them. */
const isEntry = (name: Name): boolean =>
  name[0] !== DOT || (name.length !== 2 && (name.length !== 3 || name[1] !== DOT));

function firstNames(fd: number): Name[] {
  const result = rawSyscall('lseek', fd, 0, flag('SEEK_SET'));
  if (result < 0) throw new SystemError('rewind a directory', -result);
  return nextNames(fd);
}

/** One getdents64(2): none at the end. Offsets in struct linux_dirent64: d_reclen 16, d_name 19. */
function nextNames(fd: number): Name[] {
  const buffer = new Uint8Array(32768);
  const size = readEntries(fd, buffer);
  const view = new DataView(buffer.buffer);
  const names: Name[] = [];
  for (let at = 0; at < size; at += view.getUint16(at + 16, true))
    names.push(buffer.subarray(at + 19, buffer.indexOf(0, at + 19) + 1));
  return names;
}

function readEntries(fd: number, buffer: Uint8Array): number {
  const size = rawSyscall('getdents64', fd, buffer, buffer.length);
  if (size < 0 && size !== errno('ENOENT')) throw new SystemError('read a directory', -size); // ENOENT: it was removed
  return Math.max(size, 0);
}

// Removing trees whose contents are not trusted: a container may have made names that are no text, symlinks to
// anywhere, and directories nested deeper than paths or open files reach.

/** Directories open at once. What lies deeper is first moved up to the top. */
const DEEPEST = 64;

/**
 * Removes a file, or a directory with all that is in it. Follows no symlink, enters no mount; nothing there is fine.
 * @param dir fd of the directory that `name` is in
 * @throws SystemError naming what could not be removed
 */
export function removeTree(dir: number, name: string | Name): void {
  const bytes = typeof name === 'string' ? utf8.encode(`${name}\0`) : name;
  removeEntry({ fd: dir, path: '', depth: 0 }, bytes, undefined);
}

interface Place {
  fd: number;
  path: string; // from the top, for messages
  depth: number;
}

/** The tree's topmost directory, and how many directories were moved there. */
interface Top extends Place {
  moved: number;
}

function removeEntry(parent: Place, name: Name, top: Top | undefined): void {
  const path = `${parent.path}/${decodeName(name)}`.replace(/^\//, '');
  const unlinked = rawSyscall('unlinkat', parent.fd, name, 0);
  if (unlinked === 0 || unlinked === errno('ENOENT')) return;
  if (unlinked !== errno('EISDIR')) throw new SystemError(`remove ${path}`, -unlinked);
  if (removeEmpty(parent, name, path)) return;
  if (top !== undefined && parent.depth >= DEEPEST) {
    moveToTop(parent, name, path, top);
    return;
  }
  const fd = openBelow(parent, name, path);
  try {
    const here = { fd, path, depth: parent.depth + 1 };
    emptyDirectory(here, top ?? { ...here, moved: 0 });
  } finally {
    close(fd);
  }
  if (!removeEmpty(parent, name, path)) throw new SystemError(`remove ${path}`, errnos['ENOTEMPTY']!);
}

/** Each round removes what the directory shows first, until it shows nothing. */
function emptyDirectory(place: Place, top: Top): void {
  for (;;) {
    const names = firstNames(place.fd).filter(isEntry);
    if (names.length === 0) return;
    for (const name of names) removeEntry(place, name, top);
  }
}

/** Returns whether it is gone; false where it is not empty. */
function removeEmpty(parent: Place, name: Name, path: string): boolean {
  const result = rawSyscall('unlinkat', parent.fd, name, AT_REMOVEDIR);
  if (result === 0 || result === errno('ENOENT')) return true;
  if (result === errno('ENOTEMPTY')) return false;
  throw new SystemError(`remove directory ${path}`, -result);
}

/** Opens a subdirectory. EXDEV: something is mounted there, whose contents are not ours to remove. */
function openBelow(parent: Place, name: Name, path: string): number {
  const resolve = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS', 'RESOLVE_NO_XDEV');
  const fd = rawOpenat2(parent.fd, name, DIRECTORY, resolve);
  if (fd < 0) throw new SystemError(`remove ${path}: open it`, -fd);
  return fd;
}

function moveToTop(parent: Place, name: Name, path: string, top: Top): void {
  for (;;) {
    const free = `tinyrun-moved-${top.moved++}`;
    const result = rawSyscall('renameat2', parent.fd, name, top.fd, free, flag('RENAME_NOREPLACE'));
    if (result === 0) return;
    if (result !== errno('EEXIST')) throw new SystemError(`remove ${path}: move it up`, -result);
  }
}
