// The system calls that TypeScript makes itself, through bun:ffi. One libc function carries them all: syscall(2), since
// each symbol costs a trampoline at start-up and libc has no wrapper for half of these calls. A JavaScript process has
// threads, so what is per thread (unshare, setns) holds for the calling thread only, and some calls refuse
// (unshare(CLONE_NEWUSER) is EINVAL): see src/engine/ffi.ts.
//
// Ordinary work on containers is not done here but by programs. This serves the hot path (read the config, hand over to
// the program), the ffi engine, and probing.

import { dlopen, FFIType, type Pointer, ptr, read } from 'bun:ffi';
import { constants, constantValue } from '../src/sys/constants.ts';
import { errnoName, errnoWords } from '../src/sys/errno.ts';
import { type Arch, syscallNumber } from '../src/sys/syscalls.ts';

const arch: Arch = process.arch === 'arm64' ? 'arm64' : 'x64';

/** Constants of this machine by name, together: of open(2) some have values of their own on aarch64. */
export const flag = (...names: string[]): number =>
  names.reduce((all, name) => all | constantValue(name, arch)!, 0);

const { symbols } = dlopen('libc.so.6', {
  // syscall(2): variadic in C; integer and pointer arguments travel the same way on x86_64 and aarch64.
  syscall: {
    args: [FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64],
    returns: FFIType.i64_fast,
  },
  __errno_location: { args: [], returns: FFIType.ptr },
});

// errno(3) is per thread, and so is this module: its address is asked for once, so that nothing happens between a
// failing call and the reading of its errno.
const errnoAt = symbols.__errno_location() as Pointer;

/** An argument of a system call: a number, a NUL-terminated string, or memory that the kernel reads or writes. */
export type SyscallArg = number | bigint | string | Uint8Array | null;

/** A system call that failed: what was tried, and the errno's name. */
export class SystemError extends Error {
  readonly errno: string;
  constructor(what: string, number: number) {
    const name = errnoName(number);
    super(`${what}: ${name} ${errnoWords[name] ?? ''}`);
    this.errno = name;
  }
}

const utf8 = new TextEncoder();

/**
 * Makes a system call; returns its result, or the negative errno. It is short on purpose, for tinyrun's own code is
 * interpreted (scripts/build.ts), and a copy makes hundreds of thousands of calls.
 * @param name as in sys/syscalls.ts
 */
export function rawSyscall(
  name: string,
  a: SyscallArg = 0,
  b: SyscallArg = 0,
  c: SyscallArg = 0,
  d: SyscallArg = 0,
  e: SyscallArg = 0,
  f: SyscallArg = 0,
): number {
  const result = symbols.syscall(
    numbers[name] ?? numberOf(name),
    typeof a === 'number' ? a : address(a),
    typeof b === 'number' ? b : address(b),
    typeof c === 'number' ? c : address(c),
    typeof d === 'number' ? d : address(d),
    typeof e === 'number' ? e : address(e),
    typeof f === 'number' ? f : address(f),
  );
  return result === -1 ? -read.i32(errnoAt, 0) : typeof result === 'number' ? result : Number(result);
}

/** The same by number. */
export function rawSyscallNumber(number: number, args: readonly SyscallArg[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args.map(address);
  const result = Number(symbols.syscall(number, a, b, c, d, e, f));
  return result === -1 ? -read.i32(errnoAt, 0) : result;
}

/** Numbers of the calls that were made. */
const numbers: Record<string, number> = Object.create(null);

function numberOf(name: string): number {
  const number = syscallNumber(name, arch)!;
  numbers[name] = number;
  return number;
}

/** The texts of the latest arguments: as many as a call has, so that none goes before the kernel is done with it. */
const held: Uint8Array[] = [];
let next = 0;

function address(arg: SyscallArg): number | bigint {
  if (typeof arg === 'string') {
    const bytes = utf8.encode(`${arg}\0`);
    held[next] = bytes;
    next = next === 5 ? 0 : next + 1;
    return ptr(bytes);
  }
  if (arg === null) return 0;
  return typeof arg !== 'object' ? arg : arg.length === 0 ? 0 : ptr(arg);
}

/** Makes a system call; throws SystemError where it fails. `what` is an infinitive for the message. */
export function syscall(what: string, name: string, ...args: SyscallArg[]): number {
  const result = rawSyscallNumber(syscallNumber(name, arch)!, args);
  if (result < 0) throw new SystemError(what, -result);
  return result;
}

// Files

/** openat2(2): opens `path` below `dir` (AT_FDCWD: the working directory), with RESOLVE_* rules. */
export function openat2(dir: number, path: string, flags: number, resolve: number): number {
  const fd = rawOpenat2(dir, path, flags, resolve);
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  return fd;
}

/**
 * The same, tried again where the kernel asks for that: something on the machine was renamed while a `..` was followed.
 * @param path NUL-terminated if it is bytes
 * @returns the fd or the negative errno
 */
export function rawOpenat2(dir: number, path: string | Uint8Array, flags: number, resolve: number): number {
  const how = new Uint8Array(new BigUint64Array([BigInt(flags), 0n, BigInt(resolve)]).buffer); // struct open_how
  for (let tries = 1; ; tries++) {
    const fd = rawSyscall('openat2', dir, path, how, how.length);
    if (fd !== -EAGAIN || tries === 100) return fd;
  }
}

/** open(2); always close-on-exec. Returns the fd or the negative errno. */
export function open(path: string, flags: number, mode = 0): number {
  return rawSyscall('openat', constants['AT_FDCWD']!, path, flags | constants['O_CLOEXEC']!, mode);
}

/** Which of these files are there, below `dir`: access(2) of thousands. @param paths of ASCII */
export function whichExist(dir: number, paths: readonly string[]): boolean[] {
  let at = Number(address(paths.join('\0'))); // one text, which `held` keeps as long as no other one is an argument
  return paths.map((path) => {
    const result = rawSyscall('faccessat', dir, at, 0);
    at += path.length + 1;
    return result === 0;
  });
}

/** read(2): fills `into` as far as one call goes; returns the bytes read or the negative errno. */
export function readInto(fd: number, into: Uint8Array): number {
  return rawSyscall('read', fd, into, into.length);
}

/** close(2). */
export function close(fd: number): void {
  symbols.syscall(CLOSE, fd, 0, 0, 0, 0, 0);
}
const CLOSE = syscallNumber('close', arch)!;

/**
 * Writes all of `bytes` with write(2), synchronously: process.stdout would leave the pipe O_NONBLOCK for a container.
 * @param name of what is written, for messages
 * @throws SystemError
 */
export function writeAll(fd: number, bytes: Uint8Array, name = `file descriptor ${fd}`): void {
  for (let at = 0; at < bytes.length; ) {
    const wrote = rawSyscall('write', fd, bytes.subarray(at), bytes.length - at);
    if (wrote === -EAGAIN) pollOut(fd);
    else if (wrote < 0 && wrote !== -EINTR) throw new SystemError(`write to ${name}`, -wrote);
    else if (wrote > 0) at += wrote;
  }
}
const EAGAIN = 11;
const EINTR = 4;

function pollOut(fd: number): void {
  const pollfd = new Uint8Array(8);
  const view = new DataView(pollfd.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, constants['POLLOUT']!, true);
  rawSyscall('ppoll', pollfd, 1, null, null, 0);
}

/** fcntl(2) with an integer argument. */
export function fcntl(fd: number, command: number, arg = 0): number {
  return syscall(`fcntl ${command} of file descriptor ${fd}`, 'fcntl', fd, command, arg);
}

/** Whether a descriptor is a terminal: TCGETS succeeds on nothing else, ioctl_tty(2). */
export const isTerminal = (fd: number): boolean =>
  rawSyscall('ioctl', fd, constants['TCGETS']!, new Uint8Array(64)) === 0;

/** memfd_create(2): a file in memory, without a name on any filesystem. Returns the fd or the negative errno. */
export function memfdCreate(name: string, flags: number): number {
  return rawSyscall('memfd_create', name, flags);
}

// Processes

/** A NULL-terminated array of strings for execve(2); `keep` must live until the call. */
function stringVector(strings: readonly string[]): { vector: Uint8Array; keep: Uint8Array[] } {
  const keep = strings.map((string) => utf8.encode(string + '\0'));
  const vector = new BigUint64Array(strings.length + 1);
  for (let i = 0; i < keep.length; i++) vector[i] = BigInt(ptr(keep[i]!));
  return { vector: new Uint8Array(vector.buffer), keep };
}

/** execveat(2) of an open file: replaces this process. Returns only on failure, with the negative errno. */
export function execFd(fd: number, argv: readonly string[], env: readonly string[]): number {
  const args = stringVector(argv);
  const environment = stringVector(env);
  const result = rawSyscall('execveat', fd, '', args.vector, environment.vector, constants['AT_EMPTY_PATH']!);
  // Named after the call, so that the strings cannot be collected before it.
  return args.keep.length + environment.keep.length >= 0 ? result : 0;
}

/** execve(2): returns only on failure, with the negative errno. */
export function execve(path: string, argv: readonly string[], env: readonly string[]): number {
  const args = stringVector(argv);
  const environment = stringVector(env);
  const result = rawSyscall('execve', path, args.vector, environment.vector);
  return args.keep.length + environment.keep.length >= 0 ? result : 0;
}

/** clone3(2): `args` is a struct clone_args. A JavaScript process may only use it with care: it has threads. */
export const clone3 = (args: Uint8Array): number => rawSyscall('clone3', args, args.length);
/** pidfd_open(2). */
export const pidfdOpen = (pid: number): number =>
  syscall(`open a pidfd of process ${pid}`, 'pidfd_open', pid, 0);

// Namespaces and roots (of the calling thread)

/** unshare(2) with CLONE_NEW* or CLONE_FS flags. */
export const unshare = (flags: number): number => syscall('unshare', 'unshare', flags);
/** setns(2): joins the namespace that `fd` refers to; `type` is CLONE_NEW* or 0. */
export const setns = (fd: number, type: number): number => syscall('join a namespace', 'setns', fd, type);
/** chroot(2). */
export const chroot = (path: string): number => syscall(`chroot to ${path}`, 'chroot', path);

// Mounts

/** mount(2), with MS_* flags. */
export const mount = (
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string | null = null,
): number => syscall(`mount ${source} on ${target}`, 'mount', source, target, type, flags, data);
/** umount2(2), with MNT_* flags. */
export const umount2 = (target: string, flags: number): number =>
  syscall(`unmount ${target}`, 'umount2', target, flags);
/** open_tree(2): with OPEN_TREE_CLONE a detached copy of the mounts at `path`. */
export const openTree = (dir: number, path: string, flags: number): number =>
  syscall(`open the mount at ${path}`, 'open_tree', dir, path, flags);
/** move_mount(2), with MOVE_MOUNT_* flags. */
export const moveMount = (fromDir: number, from: string, toDir: number, to: string, flags: number): number =>
  syscall(`move a mount to ${to}`, 'move_mount', fromDir, from, toDir, to, flags);
/** fsopen(2): a context to configure a new filesystem of this type. */
export const fsopen = (type: string, flags: number): number =>
  syscall(`open filesystem ${type}`, 'fsopen', type, flags);
/** fsconfig(2), with FSCONFIG_* commands. */
export const fsconfig = (
  fd: number,
  command: number,
  key: string | null,
  value: string | null,
  aux: number,
): number => syscall(`configure ${key ?? 'a filesystem'}`, 'fsconfig', fd, command, key, value, aux);
/** fsmount(2): a detached mount of a configured filesystem, with MOUNT_ATTR_* attributes. */
export const fsmount = (fd: number, flags: number, attributes: number): number =>
  syscall('make a mount', 'fsmount', fd, flags, attributes);
/** mount_setattr(2): `attributes` is a struct mount_attr. */
export const mountSetattr = (dir: number, path: string, flags: number, attributes: Uint8Array): number =>
  syscall(
    `set attributes of the mount at ${path}`,
    'mount_setattr',
    dir,
    path,
    flags,
    attributes,
    attributes.length,
  );
