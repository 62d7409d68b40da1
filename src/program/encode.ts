// A program -> its binary form (layout.ts). What ops point at without a name (strings, structs, argument vectors) is
// constant and goes into the read-only program segment; only named buffers are writable, and stand in the arena.
// Pointers inside of structs are absolute addresses, listed in `pointers` for engines that put the segments elsewhere.
//
// This is half of tinyrun's own time, in a process that lives for milliseconds and is never compiled: hence whole words
// instead of a DataView, and one conversion of all strings at the end.

import { printable, TinyrunError } from '../errors.ts';
import { constantValue } from '../sys/constants.ts';
import { errnos, errnoWords } from '../sys/errno.ts';
import { syscallNumber } from '../sys/syscalls.ts';
import { ConstantData } from './data.ts';
import * as layout from './layout.ts';
import type { Arg, CallOp, Label, Op, Program, Report, Section, Words } from './op.ts';
import { EXIT_REGISTER, STDERR_REGISTER } from './op.ts';

export type Arch = 'x64' | 'arm64';

/** A program in binary form. */
export interface Encoded {
  /** The program segment: header, ops, errno table, data. Never written to while it runs. */
  program: Uint8Array<ArrayBuffer>;
  /** The initialised part of the arena; zeroes up to `arenaSize` follow. */
  arena: Uint8Array<ArrayBuffer>;
  arenaSize: number; // bytes
  /** Offsets in `program` of the pointers there: 8 bytes, a PROGRAM_ADDRESS or ARENA_ADDRESS plus an offset. */
  pointers: number[];
}

type RealOp = Exclude<Op, { op: 'label' }>;

/** What a failure of an op prints: a flag that comes with its value is named, since that is what its user has written. */
export const failureOf = ({ from, what }: Words): string =>
  from.startsWith('--') && from.includes(' ') ? `${from}: ${what}` : what;

const utf8 = new TextEncoder();
const LAST_ERRNO = 133; // EHWPOISON, <asm-generic/errno.h>
/** Calls that do not return when they succeed: a trace shows them before they run. */
const noReturn: Readonly<Record<string, true>> = {
  execve: true,
  execveat: true,
  exit_group: true,
  exit: true,
};

/** The value of constants or-ed together; throws PROGRAM on a name that the table does not have. */
export function flagsValue(names: readonly string[], arch: Arch): number {
  let low = 0;
  let high = 0; // bits 32 and above: JavaScript's | has 32 bits
  for (let i = 0; i < names.length; i++) {
    const value = constantValue(names[i]!, arch);
    if (value === undefined) throw new TinyrunError('PROGRAM', `unknown constant ${names[i]}`);
    if (value < 0) return value; // AT_FDCWD and the like stand alone
    low |= value;
    if (value > 0xffffffff) high |= value / 0x100000000;
  }
  return (low >>> 0) + high * 0x100000000;
}

/**
 * Encodes a program for an architecture. `lines` are what a trace shows for each op, in order (labels not counted).
 * Throws PROGRAM if it names something unknown or goes over a limit.
 */
export function encode(program: Program, arch: Arch, lines?: readonly string[]): Encoded {
  // Nearly all strings are ASCII: their length is taken as their size, and the rare program with others is done again.
  return new Encoder(program, arch, false).encode(lines) ?? new Encoder(program, arch, true).encode(lines)!;
}

/** Offsets of layout.ts's op, in words of four bytes. */
const WORDS_OF_OP = layout.OP_SIZE / 4;
const [NUMBER, ARGS, ERRORS, FAIL, TEXT, JSON_TEXT, TRACE] = [
  1,
  layout.OP_ARGS / 4,
  layout.OP_ERRORS / 4,
  layout.OP_FAIL / 4,
  layout.OP_WORDS / 4,
  layout.OP_WORDS / 4 + 2,
  layout.OP_WORDS / 4 + 4,
] as const;

class Encoder {
  private readonly arch: Arch;
  private readonly program: Program;
  private readonly wantsJson: boolean;
  /** No message has a character that is shown in another way: one look at all of them is enough. */
  private readonly isPlain: boolean;
  private readonly labels = new Map<Label, number>();
  private readonly buffers = new Map<string, { at: number; size: number }>();
  private readonly registers = new Map<string, number>([
    [EXIT_REGISTER, layout.EXIT_INDEX],
    [STDERR_REGISTER, layout.STDERR_INDEX],
  ]);
  private readonly opCount: number;
  /** Most failures of a section go to the same label. */
  private lastFail = '';
  private lastTarget: number = layout.NO_TARGET;
  private readonly opsAt = (layout.HEADER_SIZE + 7) & -8;
  private readonly errnosAt: number;
  /** Header, ops and the errno table. */
  private readonly head: Uint32Array<ArrayBuffer>;
  private readonly data: ConstantData;
  /** Words of `head` that hold an offset into the data whose base is known at the end only. */
  private readonly dataRefs: number[] = [];

  constructor(program: Program, arch: Arch, exact: boolean) {
    this.arch = arch;
    this.program = program;
    this.wantsJson = program.reports.some((report) => report.format === 'json');
    let opCount = 0;
    const messages: string[] = [];
    for (const section of program.sections) {
      for (const op of section.ops) {
        if (op.op === 'label') this.labels.set(op.name, opCount);
        else {
          opCount += 1;
          if ('what' in op) messages.push(failureOf(op));
        }
      }
    }
    const all = messages.join('');
    this.isPlain = printable(all, false) === all;
    if (opCount > layout.MAX_OPS)
      throw new TinyrunError('PROGRAM', `${opCount} ops are more than ${layout.MAX_OPS}`);
    this.opCount = opCount;
    this.errnosAt = this.opsAt + opCount * layout.OP_SIZE;
    const headSize = this.errnosAt + 8 * (LAST_ERRNO + 1);
    this.head = new Uint32Array(headSize / 4);
    this.data = new ConstantData(headSize, exact, {
      flags: (names) => flagsValue(names, arch),
      buffer: (name, at) => this.buffer(name, at, 0),
    });
  }

  /** undefined: some string is not ASCII, and its size was not known. */
  encode(lines: readonly string[] | undefined): Encoded | undefined {
    const arena = this.placeBuffers();
    this.placeErrnos();
    let index = 0;
    for (const section of this.program.sections) {
      for (const op of section.ops) {
        if (op.op === 'label') continue;
        const at = this.opsAt / 4 + index * WORDS_OF_OP;
        this.op(op, section, at, index);
        if (lines !== undefined) this.span(at + TRACE, lines[index] ?? '');
        index += 1;
      }
    }
    this.header(arena.size);
    const segment = this.data.finish(this.head, this.dataRefs);
    if (segment === undefined) return undefined;
    return { program: segment.bytes, arena: arena.bytes, arenaSize: arena.size, pointers: segment.pointers };
  }

  private placeBuffers(): { bytes: Uint8Array<ArrayBuffer>; size: number } {
    let size = 16; // never empty: older kernels misread a segment without bytes in the file
    const place = (buffer: { name: string; size: number }) => {
      this.buffers.set(buffer.name, { at: size, size: buffer.size });
      size += (buffer.size + 15) & -16;
    };
    const filled = this.program.buffers.filter((buffer) => buffer.init !== undefined);
    for (const buffer of filled) place(buffer);
    const bytes = new Uint8Array(size);
    for (const { name, init, size: room } of filled) {
      const contents = typeof init === 'string' ? utf8.encode(init) : init!;
      if (contents.length > room)
        throw new TinyrunError('PROGRAM', `the contents of buffer ${name} do not fit`);
      bytes.set(contents, this.buffers.get(name)!.at);
    }
    for (const buffer of this.program.buffers) if (buffer.init === undefined) place(buffer);
    return { bytes, size };
  }

  /** `ENOENT no such file or directory`: one block, the same in every program. */
  private placeErrnos(): void {
    const table = this.errnosAt / 4;
    let block = '';
    let start = this.data.nextString();
    for (const name in errnos) {
      const words = `${name} ${errnoWords[name]}`;
      this.head[table + 2 * errnos[name]!] = start;
      this.head[table + 2 * errnos[name]! + 1] = words.length;
      start += words.length;
      block += words;
    }
    this.data.words(block);
  }

  /** A string's offset and size into two words. */
  private span(at: number, words: string): void {
    this.head[at] = this.data.words(words);
    this.head[at + 1] = this.data.sizeOf(words);
  }

  private register(name: string): number {
    const known = this.registers.get(name);
    if (known !== undefined) return known;
    const index = this.registers.size;
    if (index >= layout.MAX_REGISTERS) throw new TinyrunError('PROGRAM', `more than ${index} registers`);
    this.registers.set(name, index);
    return index;
  }

  private label(name: Label): number {
    const target = this.labels.get(name);
    if (target === undefined) throw new TinyrunError('PROGRAM', `unknown label ${name}`);
    return target;
  }

  /** The arena offset of byte `at` of a buffer, of which `bytes` are used. */
  private buffer(name: string, at: number, bytes: number): number {
    const buffer = this.buffers.get(name);
    if (buffer === undefined) throw new TinyrunError('PROGRAM', `unknown buffer ${name}`);
    if (at < 0 || at + bytes > buffer.size)
      throw new TinyrunError('PROGRAM', `byte ${at + bytes} is outside of buffer ${name}`);
    return buffer.at + at;
  }

  private header(arenaSize: number): void {
    const { reports, trace, step } = this.program;
    if (reports.length > layout.MAX_REPORTS) throw new TinyrunError('PROGRAM', 'too many reports');
    const reportFields = reports.flatMap((report) => this.report(report));
    const fields: Record<string, number> = {
      magic: layout.MAGIC,
      version: layout.VERSION,
      opCount: this.opCount,
      opsAt: this.opsAt,
      arenaSize,
      registerCount: this.registers.size,
      errnoCount: LAST_ERRNO + 1,
      errnosAt: this.errnosAt,
      size: this.data.sizeWith(this.head.byteLength),
      traceFd: trace ?? -1,
      stepFd: step ?? -1,
      reportCount: reports.length,
    };
    const names = Object.keys(fields);
    for (let i = 0; i < names.length; i++) this.head[i] = fields[names[i]!]!;
    for (let i = 0; i < reportFields.length; i++) this.head[names.length + i] = reportFields[i]!;
  }

  private report({ reg, format, prefix, suffix }: Report): number[] {
    return [
      this.register(reg),
      format === 'json' ? 1 : 0,
      this.data.string(prefix),
      this.data.sizeOf(prefix),
      this.data.string(suffix),
      this.data.sizeOf(suffix),
    ];
  }

  private op(op: RealOp, section: Section, at: number, index: number): void {
    const args = at + ARGS;
    let to: string | undefined;
    switch (op.op) {
      case 'call':
        this.call(op, section, at, index);
        return;
      case 'jump':
        this.word64(args, this.label(op.to));
        break;
      case 'branch':
        this.word64(args, this.register(op.reg));
        this.word64(args + 2, layout.comparisons[op.is]);
        this.word64(args + 4, this.value(op.value));
        this.word64(args + 6, this.label(op.to));
        break;
      case 'set':
        to = op.to;
        this.word64(args, this.value(op.value));
        break;
      case 'format':
        to = op.to;
        this.word64(args, this.register(op.reg));
        this.word64(args + 2, this.buffer(op.buf, op.at, op.width ?? layout.MAX_DECIMAL));
        this.word64(args + 4, op.width ?? 0);
        this.word64(args + 6, (op.pad ?? ' ').charCodeAt(0));
        break;
      case 'store':
        this.word64(args, this.register(op.reg));
        this.word64(args + 2, this.buffer(op.buf, op.at, op.bytes));
        this.word64(args + 4, op.bytes);
        break;
      case 'load':
        to = op.to;
        this.word64(args + 2, this.buffer(op.buf, op.at, op.bytes));
        this.word64(args + 4, op.bytes);
        break;
      case 'exitcode':
        to = op.to;
        this.word64(args, this.register(op.reg));
        break;
      case 'fail':
        this.failure(at, failureOf(op), op.fail ?? section.onFail, op.exit ?? section.exit);
        break;
    }
    this.head[at] = layout.kinds[op.op] | ((to === undefined ? layout.NO_REGISTER : this.register(to)) << 8);
  }

  private call(op: CallOp, section: Section, at: number, index: number): void {
    const number = syscallNumber(op.call, this.arch);
    const { args, onError, to } = op;
    if (number === undefined) throw new TinyrunError('PROGRAM', `no system call ${op.call} on ${this.arch}`);
    if (args.length > layout.MAX_ARGS) throw new TinyrunError('PROGRAM', `too many arguments of ${op.call}`);
    let argKinds = noReturn[op.call] === undefined ? 0 : layout.NO_RETURN;
    for (let i = 0; i < args.length; i++) argKinds |= this.arg(args[i]!, at + ARGS + 2 * i) << (2 * i);
    const rules = onError === undefined ? 0 : this.rules(op, at + ERRORS, index);
    const register = to === undefined ? layout.NO_REGISTER : this.register(to);
    this.head[at] = layout.kinds.call | (register << 8) | (args.length << 16) | (rules << 24);
    this.head[at + NUMBER] = number | (argKinds << 16);
    this.failure(at, failureOf(op), onError?.fail ?? section.onFail, onError?.exit ?? section.exit);
  }

  private rules({ call, onError }: CallOp, at: number, index: number): number {
    let count = 0;
    const rule = (errno: string, target: number): void => {
      const number = errno === '*' ? layout.ANY_ERRNO : errnos[errno];
      if (number === undefined) throw new TinyrunError('PROGRAM', `unknown errno ${errno}`);
      if (count === layout.MAX_ERRORS) throw new TinyrunError('PROGRAM', `too many error rules of ${call}`);
      this.head[at + count] = number | (target << 16);
      count += 1;
    };
    const { goto, ignore } = onError!;
    if (goto !== undefined) for (const errno in goto) rule(errno, this.label(goto[errno]!));
    if (ignore !== undefined) for (const errno of ignore) rule(errno, index + 1);
    return count;
  }

  private failure(at: number, message: string, fail: Label, exit: number): void {
    if (fail !== this.lastFail) {
      this.lastFail = fail;
      this.lastTarget = this.label(fail);
    }
    this.head[at + FAIL] = this.lastTarget | (exit << 16);
    this.span(at + TEXT, this.isPlain ? message : printable(message, false));
    if (this.wantsJson) this.span(at + JSON_TEXT, JSON.stringify(message).slice(1, -1));
  }

  private value(value: number | bigint | { flags: readonly string[] }): number | bigint {
    return typeof value === 'object' ? flagsValue(value.flags, this.arch) : value;
  }

  /** Eight bytes: the low word, and the high one where it is not zero. */
  private word64(at: number, value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.head[at] = Number(value & 0xffffffffn);
      this.head[at + 1] = Number((value >> 32n) & 0xffffffffn);
      return;
    }
    this.head[at] = value;
    if (value < 0 || value > 0xffffffff) this.head[at + 1] = Math.floor(value / 0x100000000);
  }

  /** Writes an operand of a call; returns its kind. */
  private arg(arg: Arg, at: number): number {
    if (typeof arg === 'string') {
      this.head[at] = this.data.string(arg);
      return layout.argKinds.data;
    }
    if (typeof arg !== 'object') {
      this.word64(at, arg);
      return layout.argKinds.immediate;
    }
    if ('reg' in arg) {
      this.head[at] = this.register(arg.reg);
      return layout.argKinds.register;
    }
    if ('flags' in arg) {
      this.word64(at, flagsValue(arg.flags, this.arch));
      return layout.argKinds.immediate;
    }
    if ('buf' in arg) {
      this.head[at] = this.buffer(arg.buf, arg.at ?? 0, 0);
      return layout.argKinds.arena;
    }
    this.head[at] = this.data.place(arg);
    this.dataRefs.push(at);
    return layout.argKinds.data;
  }
}
