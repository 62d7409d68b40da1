// A program -> its binary form (layout.ts). What ops point at without a name (strings, structs, argument vectors) is
// constant and goes into the read-only program segment; only named buffers are writable, and stand in the arena.
// Pointers inside of structs are absolute addresses, listed in `pointers` for engines that put the segments elsewhere.

import { TinyrunError } from '../errors.ts';
import { constantValue } from '../sys/constants.ts';
import { errnos, errnoWords } from '../sys/errno.ts';
import { structs } from '../sys/structs.ts';
import { syscallNumbers } from '../sys/syscalls.ts';
import * as layout from './layout.ts';
import type { Arg, CallOp, Label, Op, Program, Report, Section } from './op.ts';
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

const utf8 = new TextEncoder();
const noReturn: Readonly<Record<string, true>> = { execve: true, execveat: true, exit_group: true, exit: true };

/** The value of constants or-ed together; throws on a name that the table does not have. */
export function flagsValue(names: readonly string[], arch: Arch): number {
  let value = 0;
  let high = 0; // bits 32 and above: JavaScript's | has 32 bits
  for (const name of names) {
    const constant = constantValue(name, arch);
    if (constant === undefined) throw new TinyrunError('PROGRAM', `unknown constant ${name}`);
    if (constant < 0) return constant; // AT_FDCWD and the like stand alone
    value |= constant;
    high |= Math.floor(constant / 0x100000000);
  }
  return (value >>> 0) + high * 0x100000000;
}

/**
 * Encodes a program for an architecture. `lines` are what a trace shows for each op, in order (labels not counted).
 * Throws PROGRAM if it names something unknown or goes over a limit.
 */
export function encode(program: Program, arch: Arch, lines?: readonly string[]): Encoded {
  return new Encoder(program, arch).encode(lines);
}

class Encoder {
  private readonly arch: Arch;
  private readonly program: Program;
  private readonly wantsJson: boolean;
  private readonly pointers: number[] = [];
  private readonly strings = new Map<string, number>();
  private readonly spans = new Map<string, number>();
  private readonly buffers = new Map<string, { at: number; size: number }>();
  private readonly labels = new Map<Label, number>();
  private readonly registers = new Map<string, number>([
    [EXIT_REGISTER, layout.EXIT_INDEX],
    [STDERR_REGISTER, layout.STDERR_INDEX],
  ]);
  private readonly opCount: number;
  private bytes: Uint8Array<ArrayBuffer> = new Uint8Array(131072);
  private view = new DataView(this.bytes.buffer);
  private used = 0;

  constructor(program: Program, arch: Arch) {
    this.arch = arch;
    this.program = program;
    this.wantsJson = program.reports.some((report) => report.format === 'json');
    let opCount = 0;
    for (const section of program.sections) {
      for (const op of section.ops) {
        if (op.op === 'label') this.labels.set(op.name, opCount);
        else opCount += 1;
      }
    }
    if (opCount > layout.MAX_OPS) throw new TinyrunError('PROGRAM', `${opCount} ops are more than ${layout.MAX_OPS}`);
    this.opCount = opCount;
  }

  encode(lines: readonly string[] | undefined): Encoded {
    const arena = this.placeBuffers();
    this.take(layout.HEADER_SIZE, 8);
    const opsAt = this.take(this.opCount * layout.OP_SIZE, 8);
    const errnosAt = this.placeErrnos();
    let index = 0;
    for (const section of this.program.sections) {
      for (const op of section.ops) {
        if (op.op === 'label') continue;
        const at = opsAt + index * layout.OP_SIZE;
        this.op(op, section, at, index);
        if (lines !== undefined) this.span(at + layout.OP_WORDS + 16, lines[index] ?? '');
        index += 1;
      }
    }
    this.header(opsAt, errnosAt, arena.size);
    return {
      program: this.bytes.subarray(0, this.used),
      arena: arena.bytes,
      arenaSize: arena.size,
      pointers: this.pointers,
    };
  }

  // Room and places

  /** Makes room for `size` bytes at a multiple of `align`; returns its offset in the program segment. */
  private take(size: number, align: number): number {
    const at = (this.used + align - 1) & -align;
    this.used = at + size;
    if (this.used > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.used, 2 * this.bytes.length));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
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
      if (contents.length > room) throw new TinyrunError('PROGRAM', `the contents of buffer ${name} do not fit`);
      bytes.set(contents, this.buffers.get(name)!.at);
    }
    for (const buffer of this.program.buffers) if (buffer.init === undefined) place(buffer);
    return { bytes, size };
  }

  /** The words of all errnos as one block, since they are the same in every program. */
  private placeErrnos(): number {
    const names = Object.keys(errnos);
    const table = this.take(8 * (LAST_ERRNO + 1), 8);
    let at = this.used;
    let block = '';
    for (const name of names) {
      const words = `${name} ${errnoWords[name]}`;
      const entry = table + 8 * errnos[name]!;
      this.view.setUint32(entry, at, true);
      this.view.setUint32(entry + 4, words.length, true);
      at += words.length;
      block += words;
    }
    const start = this.take(block.length, 1);
    utf8.encodeInto(block, this.bytes.subarray(start));
    return table;
  }

  /** A NUL-terminated string; the same string is kept once. */
  private string(value: string): number {
    const known = this.strings.get(value);
    if (known !== undefined) return known;
    const room = 3 * value.length + 1;
    const at = this.take(room, 1);
    const { written } = utf8.encodeInto(value, this.bytes.subarray(at, at + room));
    this.bytes[at + written] = 0;
    this.used = at + written + 1;
    this.strings.set(value, at);
    this.spans.set(value, written);
    return at;
  }

  private span(at: number, words: string): void {
    const start = this.string(words);
    this.view.setUint32(at, start, true);
    this.view.setUint32(at + 4, this.spans.get(words)!, true);
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

  // Writing

  private write64(at: number, value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
      return;
    }
    // Two halves cost less than a BigInt; the high half of a negative number is its sign.
    this.view.setUint32(at, value >>> 0, true);
    this.view.setUint32(at + 4, Math.floor(value / 0x100000000) >>> 0, true);
  }

  private header(opsAt: number, errnosAt: number, arenaSize: number): void {
    const { reports, trace, step } = this.program;
    if (reports.length > layout.MAX_REPORTS) throw new TinyrunError('PROGRAM', 'too many reports');
    const fields: number[] = [layout.MAGIC, layout.VERSION, this.opCount, opsAt, arenaSize];
    const reportFields = reports.flatMap((report) => this.report(report));
    fields.push(this.registers.size, LAST_ERRNO + 1, errnosAt, this.used, trace ?? -1, step ?? -1);
    fields.push(reports.length, ...reportFields);
    for (let i = 0; i < fields.length; i++) this.view.setInt32(4 * i, fields[i]!, true);
  }

  private report(report: Report): number[] {
    const prefix = this.string(report.prefix);
    const suffix = this.string(report.suffix);
    return [
      this.register(report.reg),
      report.format === 'json' ? 1 : 0,
      prefix,
      this.spans.get(report.prefix)!,
      suffix,
      this.spans.get(report.suffix)!,
    ];
  }

  private op(op: RealOp, section: Section, at: number, index: number): void {
    const args = at + layout.OP_ARGS;
    let to: string | undefined;
    switch (op.op) {
      case 'call':
        to = op.to;
        this.call(op, section, at, index);
        break;
      case 'jump':
        this.write64(args, this.label(op.to));
        break;
      case 'branch':
        this.write64(args, this.register(op.reg));
        this.write64(args + 8, layout.comparisons[op.is]);
        this.write64(args + 16, this.value(op.value));
        this.write64(args + 24, this.label(op.to));
        break;
      case 'set':
        to = op.to;
        this.write64(args, this.value(op.value));
        break;
      case 'format':
        to = op.to;
        this.write64(args, this.register(op.reg));
        this.write64(args + 8, this.buffer(op.buf, op.at, op.width ?? layout.MAX_DECIMAL));
        this.write64(args + 16, op.width ?? 0);
        this.write64(args + 24, (op.pad ?? ' ').charCodeAt(0));
        break;
      case 'store':
        this.write64(args, this.register(op.reg));
        this.write64(args + 8, this.buffer(op.buf, op.at, op.bytes));
        this.write64(args + 16, op.bytes);
        break;
      case 'load':
        to = op.to;
        this.write64(args + 8, this.buffer(op.buf, op.at, op.bytes));
        this.write64(args + 16, op.bytes);
        break;
      case 'exitcode':
        to = op.to;
        this.write64(args, this.register(op.reg));
        break;
      case 'fail':
        this.failure(at, op.what, op.fail ?? section.onFail, op.exit ?? section.exit);
        break;
    }
    this.bytes[at] = layout.kinds[op.op];
    this.bytes[at + 1] = to === undefined ? layout.NO_REGISTER : this.register(to);
  }

  private call(op: CallOp, section: Section, at: number, index: number): void {
    const number = syscallNumbers[this.arch][op.call];
    if (number === undefined) throw new TinyrunError('PROGRAM', `no system call ${op.call} on ${this.arch}`);
    if (op.args.length > layout.MAX_ARGS) throw new TinyrunError('PROGRAM', `too many arguments of ${op.call}`);
    let argKinds = noReturn[op.call] === undefined ? 0 : layout.NO_RETURN;
    for (let i = 0; i < op.args.length; i++) argKinds |= this.arg(op.args[i]!, at + layout.OP_ARGS + 8 * i) << (2 * i);
    const rules = this.rules(op, at + layout.OP_ERRORS, index);
    this.bytes[at + 2] = op.args.length;
    this.bytes[at + 3] = rules;
    this.view.setUint16(at + 4, number, true);
    this.view.setUint16(at + 6, argKinds, true);
    const policy = op.onError;
    this.failure(at, op.what + ': ', policy?.fail ?? section.onFail, policy?.exit ?? section.exit);
  }

  private rules(op: CallOp, at: number, index: number): number {
    const policy = op.onError;
    if (policy === undefined) return 0;
    let count = 0;
    const rule = (errno: string, target: number): void => {
      const number = errno === '*' ? layout.ANY_ERRNO : errnos[errno];
      if (number === undefined) throw new TinyrunError('PROGRAM', `unknown errno ${errno}`);
      if (count === layout.MAX_ERRORS) throw new TinyrunError('PROGRAM', `too many error rules of ${op.call}`);
      this.view.setUint16(at + 4 * count, number, true);
      this.view.setUint16(at + 4 * count + 2, target, true);
      count += 1;
    };
    if (policy.goto !== undefined) for (const errno in policy.goto) rule(errno, this.label(policy.goto[errno]!));
    if (policy.ignore !== undefined) for (const errno of policy.ignore) rule(errno, index + 1);
    return count;
  }

  private failure(at: number, message: string, fail: Label, exit: number): void {
    this.view.setUint16(at + layout.OP_FAIL, this.label(fail), true);
    this.view.setUint16(at + layout.OP_FAIL + 2, exit, true);
    this.span(at + layout.OP_WORDS, message);
    if (this.wantsJson) this.span(at + layout.OP_WORDS + 8, JSON.stringify(message).slice(1, -1));
  }

  private value(value: number | bigint | { flags: readonly string[] }): number | bigint {
    return typeof value === 'object' ? flagsValue(value.flags, this.arch) : value;
  }

  /** Writes an operand of a call; returns its kind. */
  private arg(arg: Arg, at: number): number {
    if (typeof arg === 'string') {
      this.write64(at, this.string(arg));
      return layout.argKinds.data;
    }
    if (typeof arg !== 'object' || 'flags' in arg) {
      this.write64(at, this.value(arg));
      return layout.argKinds.immediate;
    }
    if ('reg' in arg) {
      this.write64(at, this.register(arg.reg));
      return layout.argKinds.register;
    }
    if ('buf' in arg) {
      this.write64(at, this.buffer(arg.buf, arg.at ?? 0, 0));
      return layout.argKinds.arena;
    }
    this.write64(at, this.place(arg));
    return layout.argKinds.data;
  }

  /** Puts what a pointer points at into the data; returns its offset. */
  private place(arg: Extract<Arg, { bytes: unknown } | { vec: unknown } | { struct: unknown } | { structs: unknown }>): number {
    if ('bytes' in arg) {
      const at = this.take(arg.bytes.length, 8);
      this.bytes.set(arg.bytes, at);
      return at;
    }
    if ('vec' in arg) {
      const at = this.take(8 * (arg.vec.length + 1), 8);
      for (let i = 0; i < arg.vec.length; i++) this.field(at + 8 * i, 8, arg.vec[i]!);
      return at;
    }
    const name = 'struct' in arg ? arg.struct : arg.structs;
    const items = 'struct' in arg ? [arg.fields] : arg.items;
    const struct = structs[name];
    if (struct === undefined) throw new TinyrunError('PROGRAM', `unknown struct ${name}`);
    const start = this.take(struct.size * items.length, 8);
    for (let i = 0; i < items.length; i++) {
      const fields = items[i]!;
      for (const key in fields) {
        const field = struct.fields[key];
        if (field === undefined) throw new TinyrunError('PROGRAM', `struct ${name} has no field ${key}`);
        this.field(start + i * struct.size + field.at, field.bytes, fields[key]!);
      }
    }
    return start;
  }

  private field(at: number, bytes: number, arg: Arg): void {
    const value = this.fieldValue(at, arg);
    if (bytes === 8) this.write64(at, value);
    else if (bytes === 4) this.view.setUint32(at, Number(value) >>> 0, true);
    else if (bytes === 2) this.view.setUint16(at, Number(value), true);
    else this.view.setUint8(at, Number(value));
  }

  private fieldValue(at: number, arg: Arg): number | bigint {
    if (typeof arg === 'number' || typeof arg === 'bigint') return arg;
    if (typeof arg === 'object' && 'flags' in arg) return flagsValue(arg.flags, this.arch);
    if (typeof arg === 'object' && 'reg' in arg)
      throw new TinyrunError('PROGRAM', `register ${arg.reg} stands in a constant: store it into a buffer`);
    this.pointers.push(at);
    if (typeof arg === 'string') return layout.PROGRAM_ADDRESS + this.string(arg);
    if ('buf' in arg) return layout.ARENA_ADDRESS + this.buffer(arg.buf, arg.at ?? 0, 0);
    return layout.PROGRAM_ADDRESS + this.place(arg);
  }
}

const LAST_ERRNO = 133; // EHWPOISON, <asm-generic/errno.h>
