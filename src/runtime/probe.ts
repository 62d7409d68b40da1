// Asks the host what the planner must know (plan/host.ts, plan/input.ts): the only place that does, with a handful of
// raw system calls, since this is the hot path.

import { close, flag, open, openat2, rawSyscall, readInto, SystemError } from '../../native-bindings/libc.ts';
import { type CgroupHierarchy, isUnified } from '../cgroup/path.ts';
import { TinyrunError } from '../errors.ts';
import type { HostFacts } from '../plan/host.ts';
import type { SourceKind } from '../plan/input.ts';
import { errnoName, errnos, errnoWords } from '../sys/errno.ts';
import { readPrelude } from './prelude.ts';
import { inUserNamespace } from './user-namespace.ts';

const decoder = new TextDecoder();
const AT_FDCWD = flag('AT_FDCWD');
const O_PATH = flag('O_PATH');
const O_DIRECTORY = flag('O_DIRECTORY');
const IN_ROOT = flag('RESOLVE_IN_ROOT', 'RESOLVE_NO_MAGICLINKS');

/** `open /etc/x: ENOENT no such file or directory`, as an error of the given kind. */
export function refused(
  code: 'CONFIG' | 'HOST',
  what: string,
  errno: number,
  data: Record<string, unknown> = {},
): TinyrunError {
  const name = errnoName(errno);
  const message = `${what}: ${name} ${errnoWords[name] ?? ''}`;
  return new TinyrunError(code, message, { data: { ...data, errno: name } });
}

/**
 * Reads a whole file of at most `limit` bytes.
 * @returns its text, or the negative errno; -EFBIG where it is larger
 */
export function readText(path: string, limit: number): string | number {
  const fd = open(path, flag('O_RDONLY', 'O_NONBLOCK'));
  return fd < 0 ? fd : readFd(fd, limit);
}

/** The same for an open file, which it closes. */
function readFd(fd: number, limit: number): string | number {
  let bytes = new Uint8Array(16384);
  let used = 0;
  for (;;) {
    const got = readInto(fd, bytes.subarray(used));
    if (got <= 0) {
      close(fd);
      return got < 0 ? got : decoder.decode(bytes.subarray(0, used));
    }
    used += got;
    if (used > limit) {
      close(fd);
      return -errnos['EFBIG']!;
    }
    if (used === bytes.length) {
      const larger = new Uint8Array(4 * used);
      larger.set(bytes);
      bytes = larger;
    }
  }
}

/** The facts of the host and of this process. Throws HOST if the kernel is older than 5.14. */
export function probeHost(): HostFacts {
  const uts = new Uint8Array(6 * 65); // struct utsname: six fields of 65 bytes
  rawSyscall('uname', uts);
  const field = (index: number): string => {
    const at = 65 * index;
    return decoder.decode(uts.subarray(at, uts.indexOf(0, at)));
  };
  const release = field(2);
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  if (major < 5 || (major === 5 && minor < 14))
    throw new TinyrunError(
      'HOST',
      `Linux ${release} is too old: tinyrun needs 5.14 or newer (mount_setattr, close_range)`,
    );
  const status = readText('/proc/self/status', 1 << 20);
  if (typeof status === 'number') throw refused('HOST', 'read /proc/self/status', -status);
  const mask = (name: string): bigint => {
    const at = status.indexOf(`${name}:\t`) + name.length + 2;
    return BigInt(`0x${status.slice(at, at + 16)}`);
  };
  return {
    arch: process.arch === 'arm64' ? 'arm64' : 'x64',
    euid: rawSyscall('geteuid'),
    inUserNamespace: inUserNamespace(),
    kernel: [major, minor],
    hostname: field(1),
    capBounding: mask('CapBnd'),
    sigIgnored: mask('SigIgn'),
    noFile: readPrelude()?.noFile,
    cwd: process.cwd(),
    now: Date.now(),
  };
}

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** What is at a path: its kind, and mode and owner; or the negative errno. */
export function statPath(
  path: string,
): { kind: SourceKind; mode: number; uid: number; gid: number } | number {
  const statx = new Uint8Array(256);
  const result = rawSyscall('statx', AT_FDCWD, path, 0, flag('STATX_BASIC_STATS'), statx);
  if (result < 0) return result;
  const view = new DataView(statx.buffer);
  const mode = view.getUint16(28, true);
  return {
    kind: (mode & S_IFMT) === S_IFDIR ? 'directory' : 'file',
    mode: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
  };
}

/** What tells a file from a newer one in its place: inode, size, time of the last change. Empty where there is none. */
export function stampOf(path: string): string {
  const statx = new Uint8Array(256);
  const result = rawSyscall('statx', AT_FDCWD, path, 0, flag('STATX_BASIC_STATS'), statx);
  if (result < 0) return '';
  const view = new DataView(statx.buffer); // struct statx: stx_ino 32, stx_size 40, stx_ctime 96
  return [32, 40, 96, 104].map((at) => view.getBigUint64(at, true)).join(' ');
}

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
  const dir = open(root, O_PATH | O_DIRECTORY);
  if (dir < 0) return undefined;
  try {
    // O_NONBLOCK: a fifo of a hostile image must not hold us up.
    const text = readFd(openat2(dir, path, flag('O_CLOEXEC', 'O_NONBLOCK'), 0, IN_ROOT), limit);
    return typeof text === 'string' ? text : undefined;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  } finally {
    close(dir);
  }
}

/** The cgroup hierarchies of the host and where the caller is in them: cgroups(7), /proc/self/cgroup, mountinfo. */
export const probeCgroups = (): CgroupHierarchy[] => mountedHierarchies(readCgroupFiles());

/** The files that tell of them, by their paths. */
interface CgroupFiles {
  '/proc/self/cgroup': string;
  '/proc/self/mountinfo': string;
}

/** undefined where they cannot be read. */
export function readCgroupFiles(): CgroupFiles | undefined {
  const own = readText('/proc/self/cgroup', 1 << 20);
  const mounts = readText('/proc/self/mountinfo', 1 << 26);
  if (typeof own === 'number' || typeof mounts === 'number') return undefined;
  return { '/proc/self/cgroup': own, '/proc/self/mountinfo': mounts };
}

/** The hierarchies that those files tell of. */
export function mountedHierarchies(files: CgroupFiles | undefined): CgroupHierarchy[] {
  if (files === undefined) return [];
  const { '/proc/self/cgroup': own, '/proc/self/mountinfo': mounts } = files;
  const paths = new Map(
    own
      .trim()
      .split('\n')
      .map((line) => {
        const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
        return [controllers, path] as const;
      }),
  );
  const hierarchies: CgroupHierarchy[] = [];
  for (const line of mounts.split('\n')) {
    if (!line.includes(' - cgroup')) continue;
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    const [, , , root = '/', mountPoint = ''] = before.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const names = options.split(',');
    const controllers =
      type === 'cgroup2'
        ? ''
        : [...paths.keys()].find((key) => key !== '' && key.split(',').every((name) => names.includes(name)));
    if (controllers === undefined || hierarchies.some((known) => known.controllers === controllers)) continue;
    hierarchies.push({ controllers, mountPoint, path: pathBelow(root, paths.get(controllers) ?? '/') });
  }
  return hierarchies;
}

/** In a container without a cgroup namespace, the path is the host's, and what is mounted a part of its tree. */
function pathBelow(root: string, path: string): string {
  if (root === '/') return path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
}

/** The file that tells of them. */
export const controllersFile = (hierarchies: readonly CgroupHierarchy[]): string =>
  `${hierarchies[0]!.mountPoint}/cgroup.controllers`;

/** What the unified hierarchy has to hand on, where all controllers are in it: the cgroup.controllers of its top. */
export function probeControllers(hierarchies: readonly CgroupHierarchy[]): string[] {
  if (!isUnified(hierarchies)) return [];
  const path = controllersFile(hierarchies);
  const text = readText(path, 4096);
  if (typeof text === 'number') throw refused('HOST', `read ${path}`, -text);
  return text.trim().split(' ').filter(Boolean);
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
    const dir = open(root, O_PATH | O_DIRECTORY);
    if (dir < 0) continue;
    try {
      const link = openat2(dir, path, O_PATH | flag('O_NOFOLLOW', 'O_CLOEXEC'), 0, IN_ROOT);
      const into = new Uint8Array(4096);
      const size = rawSyscall('readlinkat', link, '', into, into.length);
      close(link);
      return size < 0 ? undefined : decoder.decode(into.subarray(0, size));
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
  const resolve = IN_ROOT | (plain ? flag('RESOLVE_NO_SYMLINKS') : 0);
  const how = new BigUint64Array([BigInt(O_PATH | flag('O_CLOEXEC')), 0n, BigInt(resolve)]);
  const fd = rawSyscall('openat2', dir, path, new Uint8Array(how.buffer), 24);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** Opens a directory for `existsInRoot`; the negative errno if it cannot. */
export const openDirectory = (path: string): number => open(path, O_PATH | O_DIRECTORY);
