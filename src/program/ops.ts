// Typed makers of ops, so that a planner reads like the system calls it plans, and a wrong operand does not compile.
// Arguments stand in the order of the man pages; the last one is the words, the result register and the error policy.

import type {
  Arg,
  BranchOp,
  CallOp,
  Comparison,
  ErrorPolicy,
  FormatOp,
  LabelOp,
  Op,
  Reg,
  Words,
} from './op.ts';

/** What every call takes besides its operands. */
export interface Extra extends Words {
  to?: Reg | undefined;
  onError?: ErrorPolicy | undefined;
}

/** A file descriptor: in a register, a number, or AT_FDCWD. */
export type Fd = { reg: Reg } | number | { flags: readonly ['AT_FDCWD'] };
/** Flags by name; an empty list is 0. */
export type Flags = readonly string[];
/** A path or other string: given, or in a buffer. */
export type Text = string | { buf: string; at?: number };
type Int = number | { reg: Reg };
type Memory = Exclude<Arg, number | bigint | { reg: Reg } | { flags: readonly string[] }>;

export const AT_FDCWD: Fd = { flags: ['AT_FDCWD'] };
export const reg = (name: Reg): { reg: Reg } => ({ reg: name });
export const flags = (...names: string[]): { flags: readonly string[] } => ({ flags: names });
export const buf = (name: string, at = 0): { buf: string; at: number } => ({ buf: name, at });

/** Any system call, for those without a maker of their own. */
export function call(name: string, args: readonly Arg[], extra: Extra): CallOp {
  // All calls have the same properties in the same order: the encoder reads them faster.
  return {
    op: 'call',
    call: name,
    args,
    to: extra.to,
    onError: extra.onError,
    what: extra.what,
    why: extra.why,
    from: extra.from,
  };
}

// Control

export const label = (name: string): LabelOp => ({ op: 'label', name });
export const jump = (to: string, words: Words): Op => ({ op: 'jump', to, ...words });
export const branch = (
  register: Reg,
  is: Comparison,
  value: BranchOp['value'],
  to: string,
  words: Words,
): Op => ({
  op: 'branch',
  reg: register,
  is,
  value,
  to,
  ...words,
});
export const set = (to: Reg, value: number | { flags: readonly string[] }, words: Words): Op => ({
  op: 'set',
  to,
  value,
  ...words,
});
export const format = (
  register: Reg,
  into: { buf: string; at: number },
  options: Pick<FormatOp, 'width' | 'pad' | 'to'>,
  words: Words,
): Op => ({ op: 'format', reg: register, ...into, ...options, ...words });
export const store = (
  register: Reg,
  into: { buf: string; at: number },
  bytes: 1 | 2 | 4 | 8,
  words: Words,
): Op => ({
  op: 'store',
  reg: register,
  ...into,
  bytes,
  ...words,
});
export const load = (from: { buf: string; at: number }, bytes: 1 | 2 | 4 | 8, to: Reg, words: Words): Op => ({
  op: 'load',
  ...from,
  bytes,
  to,
  ...words,
});
export const exitCode = (status: Reg, to: Reg, words: Words): Op => ({
  op: 'exitcode',
  reg: status,
  to,
  ...words,
});
export const fail = (words: Words, policy: { exit?: number; fail?: string } = {}): Op => ({
  op: 'fail',
  ...policy,
  ...words,
});

// Files

/** open(2) relative to a directory. The path is trusted: below a rootfs use openInRoot. */
export const openat = (dir: Fd, path: Text, how: Flags, extra: Extra, mode = 0): CallOp =>
  call('openat', [dir, path, { flags: [...how, 'O_CLOEXEC'] }, mode], extra);

/** openat2(2) that treats `root` as the root: no symlink and no `..` leads out of it, whatever is swapped meanwhile. */
export const openInRoot = (root: Fd, path: Text, how: Flags, extra: Extra, resolve: Flags = []): CallOp =>
  call(
    'openat2',
    [
      root,
      path,
      {
        struct: 'open_how',
        fields: {
          flags: { flags: [...how, 'O_CLOEXEC'] },
          resolve: { flags: ['RESOLVE_IN_ROOT', 'RESOLVE_NO_MAGICLINKS', ...resolve] },
        },
      },
      24,
    ],
    extra,
  );

export const close = (fd: Fd, extra: Extra): CallOp => call('close', [fd], extra);
export const read = (fd: Fd, into: Memory, size: number, extra: Extra): CallOp =>
  call('read', [fd, into, size], extra);
export const write = (fd: Fd, from: Memory, size: Int, extra: Extra): CallOp =>
  call('write', [fd, from, size], extra);
export const mkdirat = (dir: Fd, path: Text, mode: number, extra: Extra): CallOp =>
  call('mkdirat', [dir, path, mode], extra);
export const unlinkat = (dir: Fd, path: Text, how: Flags, extra: Extra): CallOp =>
  call('unlinkat', [dir, path, { flags: how }], extra);
export const symlinkat = (target: string, dir: Fd, path: Text, extra: Extra): CallOp =>
  call('symlinkat', [target, dir, path], extra);
export const renameat = (dir: Fd, from: Text, toDir: Fd, to: Text, extra: Extra): CallOp =>
  call('renameat2', [dir, from, toDir, to, 0], extra);
/** mknod(2): `type` is S_IFREG, S_IFCHR, ...; the umask is zero while a container is made. */
export const mknodat = (
  dir: Fd,
  path: Text,
  type: string,
  mode: number,
  device: number,
  extra: Extra,
): CallOp => call('mknodat', [dir, path, S_IF[type]! + mode, device], extra);
const S_IF: Readonly<Record<string, number>> = {
  S_IFREG: 0o100000,
  S_IFCHR: 0o020000,
  S_IFBLK: 0o060000,
  S_IFIFO: 0o010000,
};
export const fchownat = (dir: Fd, path: Text, uid: number, gid: number, how: Flags, extra: Extra): CallOp =>
  call('fchownat', [dir, path, uid, gid, { flags: how }], extra);
export const flock = (fd: Fd, how: Flags, extra: Extra): CallOp => call('flock', [fd, { flags: how }], extra);
/** statx(2) of an open file into a buffer of 256 bytes. */
export const fstatx = (fd: Fd, into: { buf: string; at: number }, extra: Extra): CallOp =>
  call('statx', [fd, '', { flags: ['AT_EMPTY_PATH'] }, { flags: ['STATX_BASIC_STATS'] }, into], extra);

// Mounts

/** The fields of struct mount_attr. */
export interface MountAttributes {
  set?: Flags;
  clear?: Flags;
  propagation?: string; // MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE
}

export const fsopen = (type: string, extra: Extra): CallOp =>
  call('fsopen', [type, { flags: ['FSOPEN_CLOEXEC'] }], extra);
export const fsconfigString = (fd: Fd, key: string, value: Text, extra: Extra): CallOp =>
  call('fsconfig', [fd, { flags: ['FSCONFIG_SET_STRING'] }, key, value, 0], extra);
export const fsconfigFlag = (fd: Fd, key: string, extra: Extra): CallOp =>
  call('fsconfig', [fd, { flags: ['FSCONFIG_SET_FLAG'] }, key, 0, 0], extra);
export const fsconfigCreate = (fd: Fd, extra: Extra): CallOp =>
  call('fsconfig', [fd, { flags: ['FSCONFIG_CMD_CREATE'] }, 0, 0, 0], extra);
/** fsmount(2): a detached mount of the filesystem configured on `fd`. */
export const fsmount = (fd: Fd, attributes: Flags, extra: Extra): CallOp =>
  call('fsmount', [fd, { flags: ['FSMOUNT_CLOEXEC'] }, { flags: attributes }], extra);
/** open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at a path, as a bind makes it. */
export const openTree = (dir: Fd, path: Text, recursive: boolean, extra: Extra): CallOp =>
  call(
    'open_tree',
    [
      dir,
      path,
      {
        flags: [
          'OPEN_TREE_CLONE',
          'OPEN_TREE_CLOEXEC',
          ...(path === '' ? ['AT_EMPTY_PATH'] : []),
          ...(recursive ? ['AT_RECURSIVE'] : []),
        ],
      },
    ],
    extra,
  );
/** mount_setattr(2) of the mount that `fd` refers to. */
export const mountSetattr = (fd: Fd, attributes: MountAttributes, recursive: boolean, extra: Extra): CallOp =>
  call(
    'mount_setattr',
    [
      fd,
      '',
      { flags: recursive ? ['AT_EMPTY_PATH', 'AT_RECURSIVE'] : ['AT_EMPTY_PATH'] },
      {
        struct: 'mount_attr',
        fields: {
          ...(attributes.set?.length ? { attr_set: { flags: attributes.set } } : {}),
          ...(attributes.clear?.length ? { attr_clr: { flags: attributes.clear } } : {}),
          ...(attributes.propagation ? { propagation: { flags: [attributes.propagation] } } : {}),
        },
      },
      32,
    ],
    extra,
  );
/** move_mount(2): attaches the mount of one fd onto the file or directory of another, or a path below it. */
export const moveMount = (fd: Fd, onto: Fd, extra: Extra, path = ''): CallOp =>
  call('move_mount', [fd, '', onto, path, { flags: path === '' ? MOVE_FD_TO_FD : MOVE_FD_TO_PATH }], extra);
const MOVE_FD_TO_PATH = ['MOVE_MOUNT_F_EMPTY_PATH'] as const; // a symlink at the end of the path is not followed
const MOVE_FD_TO_FD = ['MOVE_MOUNT_F_EMPTY_PATH', 'MOVE_MOUNT_T_EMPTY_PATH'] as const;

// Processes

/** prctl(2). */
export const prctl = (option: string, args: readonly Arg[], extra: Extra): CallOp =>
  call('prctl', [{ flags: [option] }, ...args], extra);
/**
 * clone3(2): with `CLONE_NEW*` flags, a child in new namespaces. Returns its pid, and 0 in the child. With CLONE_PARENT
 * the child's end is told as the caller's own; a signal beside it is EINVAL.
 */
export const clone3 = (cloneFlags: Flags, extra: Extra): CallOp => {
  const signal: Arg = cloneFlags.includes('CLONE_PARENT') ? 0 : { flags: ['SIGCHLD'] };
  const fields = { flags: { flags: cloneFlags }, exit_signal: signal };
  return call('clone3', [{ struct: 'clone_args', fields }, 88], extra);
};
export const setns = (fd: Fd, type: string, extra: Extra): CallOp =>
  call('setns', [fd, { flags: [type] }], extra);
export const wait4 = (pid: Int, status: Memory | 0, how: Flags, extra: Extra): CallOp =>
  call('wait4', [pid, status, { flags: how }, 0], extra);
export const kill = (pid: Int, signal: Int | { flags: readonly string[] }, extra: Extra): CallOp =>
  call('kill', [pid, signal], extra);
export const exit = (code: Int, extra: Extra): CallOp => call('exit_group', [code], extra);
export const execve = (path: Text, argv: readonly string[], env: readonly Text[], extra: Extra): CallOp =>
  call('execve', [path, { vec: argv }, { vec: env }], extra);
/** A pipe; its two ends land in registers. Needs the buffer `fds` of 8 bytes. */
export function pipe(readEnd: Reg, writeEnd: Reg, { onError, ...words }: Extra): Op[] {
  return [
    call('pipe2', [buf('fds'), { flags: ['O_CLOEXEC'] }], { ...words, onError }),
    load(buf('fds', 0), 4, readEnd, { ...words, what: `take the reading end as ${readEnd}` }),
    load(buf('fds', 4), 4, writeEnd, { ...words, what: `take the writing end as ${writeEnd}` }),
  ];
}
