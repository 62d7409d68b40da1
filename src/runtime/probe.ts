// Asks the host what the planner must know (plan/host.ts, plan/input.ts), with a handful of raw system calls, since this is the
// hot path. What only a rootfs or the cgroups tell is in probe-rootfs.ts and probe-cgroups.ts; what few configs ask for, in other
// modules beside them.

import { close, flag, open, rawSyscall, readInto } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { HostFacts } from '../plan/host.ts';
import type { SourceKind } from '../plan/input.ts';
import { errnoName, errnos, errnoWords } from '../sys/errno.ts';
import { readPrelude, workingDirectory } from './prelude.ts';
import { inUserNamespace } from './user-namespace.ts';

const decoder = new TextDecoder();
const AT_FDCWD = flag('AT_FDCWD');

/** `open /etc/x: ENOENT no such file or directory`, as an error of the given kind. */
export function refused(
  code: 'CONFIG' | 'HOST',
  what: string,
  errno: number,
  data: Record<string, unknown> = {},
  hint?: string,
): TinyrunError {
  const name = errnoName(errno);
  const message = `${what}: ${name} ${errnoWords[name] ?? ''}`;
  return new TinyrunError(code, message, {
    data: { ...data, errno: name },
    hint,
  });
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
export function readFd(fd: number, limit: number): string | number {
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
    cwd: workingDirectory(),
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
