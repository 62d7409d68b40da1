// What is in a rootfs, which is not trusted: whatever symlinks are there, nothing outside of it is opened. openat2(2).

import {
  close,
  flag,
  open,
  openat2,
  rawOpenat2,
  rawSyscall,
  SystemError,
} from '../../native-bindings/libc.ts';
import { PIN, readLink } from '../disk/files.ts';
import { errnos } from '../sys/errno.ts';
import { readFd, refused, statPath } from './probe.ts';

const IN_ROOT = flag('RESOLVE_IN_ROOT', 'RESOLVE_NO_MAGICLINKS');

/** Bounds for files of a rootfs that is not trusted. */
const PASSWD_LIMIT = 1 << 20;

/**
 * The home directory of a user in the /etc/passwd of a rootfs: the first of `roots` (topmost layer first) that has the
 * file decides. `/` where nothing says otherwise, as runc.
 */
export function findHome(roots: readonly string[], uid: number): string {
  for (const root of roots) {
    const text = readPasswd(root);
    if (text !== undefined) return homeIn(text, uid);
  }
  return '/';
}

/** The text of a rootfs' /etc/passwd; undefined where it cannot be read. */
export const readPasswd = (root: string): string | undefined => readInRoot(root, 'etc/passwd', PASSWD_LIMIT);

/** The home directory of a user by the text of a passwd file (passwd(5)). */
export function homeIn(passwd: string | undefined, uid: number): string {
  for (const line of passwd?.split('\n') ?? []) {
    const fields = line.split(':');
    if (fields[2] === String(uid) && fields[5]) return fields[5];
  }
  return '/';
}

/** Reads a regular file inside a root, whatever symlinks are there; undefined if it cannot be read. */
function readInRoot(root: string, path: string, limit: number): string | undefined {
  const dir = openRoot(root);
  if (dir < 0) return undefined;
  const pinned = openInRoot(dir, path);
  close(dir);
  if (pinned < 0) return undefined;
  // A device would be opened with the host's rights, and opening is enough to set a watchdog going, or to rewind a tape.
  const file = isRegular(pinned) ? open(`/proc/self/fd/${pinned}`, flag('O_RDONLY')) : -1;
  close(pinned);
  const text = file < 0 ? file : readFd(file, limit);
  return typeof text === 'string' ? text : undefined;
}

const [S_IFMT, S_IFREG] = [0o170000, 0o100000];

function isRegular(fd: number): boolean {
  const statx = new Uint8Array(256);
  const result = rawSyscall('statx', fd, '', flag('AT_EMPTY_PATH'), flag('STATX_BASIC_STATS'), statx);
  return result === 0 && (new DataView(statx.buffer).getUint16(28, true) & S_IFMT) === S_IFREG;
}

/**
 * Where a mount destination leads if symlinks on its way dangle: the path, inside the root, that would have to be made.
 * undefined if the kernel can open it, or make it step by step. As runc (filepath-securejoin): a dangling link is
 * followed lexically.
 * @param plain paths that are no symlinks, whatever the roots say
 */
export function resolveDangling(
  roots: readonly string[],
  destination: string,
  plain: ReadonlySet<string>,
): string | undefined {
  const todo = destination.split('/').filter((part) => part !== '' && part !== '.');
  const done: string[] = [];
  let links = 0;
  let changed = false;
  while (todo.length > 0) {
    const part = todo.shift()!;
    if (part === '..') {
      done.pop();
      continue;
    }
    const path = [...done, part].join('/');
    const target = plain.has(path) ? undefined : readLinkInRoots(roots, path);
    if (target === undefined) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > 40) throw refused('CONFIG', `resolve mount destination /${destination}`, errnos['ELOOP']!);
    changed = true;
    if (target.startsWith('/')) done.length = 0;
    todo.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
  }
  return changed ? `/${done.join('/')}` : undefined;
}

function readLinkInRoots(roots: readonly string[], path: string): string | undefined {
  for (const root of roots) {
    const dir = openRoot(root);
    if (dir < 0) continue;
    try {
      const link = openat2(dir, path, PIN, IN_ROOT);
      try {
        return readLink(link, '');
      } finally {
        close(link);
      }
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    } finally {
      close(dir);
    }
  }
  return undefined;
}

/**
 * Whether a path exists in a root.
 * @param plain only if no part of it is a symlink: then what is mounted there lands there, and nowhere else
 */
export function existsInRoot(dir: number, path: string, plain: boolean): boolean {
  const fd = openInRoot(dir, path, plain ? flag('RESOLVE_NO_SYMLINKS') : 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** Pins what is at a path in a root: a descriptor of O_PATH, or the negative errno. */
export const openInRoot = (dir: number, path: string, resolve = 0): number =>
  rawOpenat2(dir, path, flag('O_PATH', 'O_CLOEXEC'), IN_ROOT | resolve);

/** Opens a root for `existsInRoot`; the negative errno if it cannot. */
export const openRoot = (path: string): number => open(path, flag('O_PATH', 'O_DIRECTORY'));

/**
 * The mode and owner of the rootfs, or of one of its layers.
 * @param from what names it, for the message
 * @throws TinyrunError CONFIG if no directory is there
 */
export function statDirectory(path: string, from: string): { mode: number; uid: number; gid: number } {
  const stat = statPath(path);
  if (typeof stat === 'number') throw refused('CONFIG', `${from}: open rootfs ${path}`, -stat);
  if (stat.kind !== 'directory') throw refused('CONFIG', `${from}: open rootfs ${path}`, errnos['ENOTDIR']!);
  return stat;
}
