// What a program is: a flat list of ops, some named buffers, a few registers. Plain data, so that a program can be
// planned without a kernel, printed (text.ts), checked (check.ts), encoded (encode.ts) and run by any engine.
//
// A program has two sections. `host` is the parent: state directory, clone3, id maps, waiting, clean-up. `init` is the
// child: mounts, pivot_root, credentials, execve. The child of clone3 goes on with the same registers and buffers
// (a copy, as after fork) and jumps to a label of the init section.
//
// Everything stays a name until the encoder: flags, errnos, registers, labels, system calls.

/** A register keeps one 64-bit value: a file descriptor, a pid, a length. Unset registers hold -1. */
export type Reg = string;
export type Label = string;

/** An operand of a system call. */
export type Arg =
  | number // an immediate; up to 2^53
  | bigint // an immediate that needs all 64 bits
  | string // a pointer to this string, NUL-terminated UTF-8
  | { reg: Reg } // a register's value
  | { flags: readonly string[] } // constants of sys/constants.ts, or-ed: ['O_PATH', 'O_CLOEXEC']; [] is 0
  | { buf: string; at?: number } // a pointer into a named buffer
  | { bytes: Uint8Array } // a pointer to these bytes
  | { vec: readonly Arg[] } // a pointer to a NULL-terminated array of pointers: argv, envp
  | { struct: string; fields: Readonly<Record<string, Arg>> } // a pointer to a struct of sys/structs.ts; fields left out are 0
  | { structs: string; items: readonly Readonly<Record<string, Arg>>[] }; // a pointer to an array of them

/** What a failing op does. Without one, any errno is a failure. */
export interface ErrorPolicy {
  /** These errnos are no failure: go on with the next op; the register receives the negative errno. */
  ignore?: readonly string[];
  /** On these errnos (`*` is any) go to a label; the register receives the negative errno. */
  goto?: Readonly<Record<string, Label>>;
  /** Where a failure goes after its words are printed; default: the section's `onFail`. */
  fail?: Label;
  /** The exit code of a failure; default: the section's `exit`. */
  exit?: number;
}

/** The words of an op; all of them are text for users. */
export interface Words {
  /** What it does, an infinitive: `mount proc on /proc (nosuid|nodev|noexec)`. A failure prints `WHAT: ERRNO words`, behind a flag and its value. */
  what: string;
  /** One sentence for a student: why it is done, and why here. */
  why: string;
  /** Where the demand comes from: a JSON pointer into config.json (`/mounts/0`), a flag (`--volume`), or `runtime`. */
  from: string;
}

/** A system call. */
export interface CallOp extends Words {
  op: 'call';
  call: string; // a name of sys/syscalls.ts
  args: readonly Arg[];
  to?: Reg | undefined; // receives the result
  onError?: ErrorPolicy | undefined;
}

/** Where `branch` goes if the comparison (signed, 64 bits) holds; `&` is: any of these bits are set. */
export type Comparison = '==' | '!=' | '<' | '>=' | '&';

export interface LabelOp {
  op: 'label';
  name: Label;
}
export interface JumpOp extends Words {
  op: 'jump';
  to: Label;
}
export interface BranchOp extends Words {
  op: 'branch';
  reg: Reg;
  is: Comparison;
  value: number | bigint | { flags: readonly string[] };
  to: Label;
}
/** Sets a register to a constant. */
export interface SetOp extends Words {
  op: 'set';
  to: Reg;
  value: number | { flags: readonly string[] };
}
/** Writes a register as decimal digits into a buffer. With `width`, padded on the left with `pad` to exactly that many bytes. */
export interface FormatOp extends Words {
  op: 'format';
  reg: Reg;
  buf: string;
  at: number;
  width?: number;
  pad?: string; // one ASCII character; default a space
  to?: Reg; // receives the number of bytes written
}
/** Copies a register's low `bytes` bytes into a buffer (little endian). */
export interface StoreOp extends Words {
  op: 'store';
  reg: Reg;
  buf: string;
  at: number;
  bytes: 1 | 2 | 4 | 8;
}
/** Reads `bytes` bytes of a buffer into a register, zero-extended. */
export interface LoadOp extends Words {
  op: 'load';
  buf: string;
  at: number;
  bytes: 1 | 2 | 4 | 8;
  to: Reg;
}
/** Turns a wait status (wait4(2)) into an exit code as a shell would: the code itself, or 128 + signal. */
export interface ExitCodeOp extends Words {
  op: 'exitcode';
  reg: Reg;
  to: Reg;
}
/** Fails with its own words (`what` is the whole message), without an errno. */
export interface FailOp extends Words {
  op: 'fail';
  fail?: Label;
  exit?: number;
}

export type Op =
  | CallOp
  | LabelOp
  | JumpOp
  | BranchOp
  | SetOp
  | FormatOp
  | StoreOp
  | LoadOp
  | ExitCodeOp
  | FailOp;

/** A named area of the arena that ops read and write. */
export interface Buffer {
  name: string;
  size: number; // bytes
  /** What it holds at the start; the rest is zero. */
  init?: string | Uint8Array;
}

export interface Section {
  name: 'host' | 'init';
  ops: readonly Op[];
  /** The label that failures of this section go to unless their op says otherwise. */
  onFail: Label;
  /** The exit code of failures of this section unless their op says otherwise. */
  exit: number;
}

/** Where the words of failures are written: a file descriptor, in a register. */
export interface Report {
  /** Register with the fd; nothing is printed while it is negative. The interpreter presets `stderr` to 2. */
  reg: Reg;
  format: 'text' | 'json';
  /** Printed before and after the words of each message; the last one ends with a newline. */
  prefix: string;
  suffix: string;
}

export interface Program {
  sections: readonly Section[]; // the first op of the first section is where it starts
  buffers: readonly Buffer[];
  reports: readonly Report[]; // at most 2
  /** Fd on which each op is shown with its result as it ends; undefined: no trace. */
  trace?: number;
  /** Fd from which one byte is read before each op: step mode; undefined: none. */
  step?: number;
}

/** The register that a failure's exit code is put into, before its `fail` label is taken. */
export const EXIT_REGISTER: Reg = 'exit';
/** Preset to 2: where words go while a section has no better place. */
export const STDERR_REGISTER: Reg = 'stderr';
