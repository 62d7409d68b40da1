// The binary form of a program (layout.ts) -> ops as the interpreter sees them: numbers, targets and offsets, no names.
// For engines written in TypeScript and for tests. All bounds are checked here, so that an engine need not.

import { TinyrunError } from '../errors.ts';
import type { Encoded } from './encode.ts';
import * as layout from './layout.ts';
import type { Comparison } from './op.ts';

/** An operand of a call: its 64 bits, a register's index, or an offset into the arena or the program segment. */
export type DecodedArg =
  | { kind: 'immediate'; value: bigint } // unsigned
  | { kind: 'register'; index: number }
  | { kind: 'arena'; at: number }
  | { kind: 'data'; at: number };

/** What the failure of an op does. */
export interface Failure {
  target: number | undefined; // an op's number; undefined: exit at once
  exit: number;
  /** The message, as it stands in text and in JSON; a call's errno follows behind a colon. */
  text: string;
  json: string;
}

interface Traced {
  /** What a trace shows of the op; empty if it was encoded without lines. */
  line: string;
}

export interface DecodedCall extends Traced {
  kind: 'call';
  number: number; // of the system call
  args: DecodedArg[];
  to: number | undefined; // a register's index
  /** The first rule that matches says which op is next; errno undefined matches all. */
  rules: { errno: number | undefined; target: number }[];
  noReturn: boolean;
  failure: Failure;
}

/** Registers are indexes, targets are numbers of ops, `at` is an offset into the arena. See layout.ts and op.ts. */
export type DecodedOp =
  | DecodedCall
  | (Traced & { kind: 'jump'; target: number })
  | (Traced & { kind: 'branch'; reg: number; is: Comparison; value: bigint; target: number })
  | (Traced & { kind: 'set'; to: number; value: bigint })
  | (Traced & { kind: 'format'; reg: number; at: number; width: number; pad: number; to: number | undefined })
  | (Traced & { kind: 'store'; reg: number; at: number; bytes: number })
  | (Traced & { kind: 'load'; at: number; bytes: number; to: number })
  | (Traced & { kind: 'exitcode'; reg: number; to: number })
  | (Traced & { kind: 'fail'; failure: Failure });

export interface DecodedReport {
  reg: number;
  json: boolean;
  prefix: string;
  suffix: string;
}

export interface DecodedProgram {
  header: Record<layout.HeaderField, number>;
  ops: DecodedOp[];
  reports: DecodedReport[];
  /** `ENOENT no such file or directory`, or an empty string. */
  errnoWords(errno: number): string;
}

/** Decodes and checks a program. Throws PROGRAM with the op's number where something is out of bounds. */
export function decode(encoded: Pick<Encoded, 'program' | 'arenaSize'>): DecodedProgram {
  return new Decoder(encoded).decode();
}

const kindNames = Object.keys(layout.kinds) as (keyof typeof layout.kinds)[];
const argKindNames = Object.keys(layout.argKinds) as (keyof typeof layout.argKinds)[];
const comparisonNames = Object.keys(layout.comparisons) as Comparison[];
const utf8 = new TextDecoder();

class Decoder {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly header: Record<layout.HeaderField, number>;
  private readonly arenaLength: number;
  /** What is being read, for messages. */
  private what = 'header';

  constructor(encoded: Pick<Encoded, 'program' | 'arenaSize'>) {
    this.bytes = encoded.program;
    this.view = new DataView(encoded.program.buffer, encoded.program.byteOffset, encoded.program.length);
    this.arenaLength = encoded.arenaSize;
    this.require(this.bytes.length >= layout.HEADER_SIZE, `${this.bytes.length} bytes are too short`);
    const values = layout.headerFields.map((name, i) => [name, this.view.getInt32(4 * i, true)]);
    this.header = Object.fromEntries(values) as Record<layout.HeaderField, number>;
  }

  decode(): DecodedProgram {
    const { header } = this;
    this.checkHeader();
    const ops: DecodedOp[] = [];
    for (let i = 0; i < header.opCount; i++) {
      this.what = `op ${i}`;
      ops.push(this.op(header.opsAt + i * layout.OP_SIZE));
    }
    this.what = 'errno table';
    const words = Array.from({ length: header.errnoCount }, (_, i) => this.span(header.errnosAt + 8 * i));
    this.what = 'header';
    const reports: DecodedReport[] = [];
    if (header.reportCount > 0) reports.push(this.report('report0'));
    if (header.reportCount > 1) reports.push(this.report('report1'));
    return { header, ops, reports, errnoWords: (errno) => words[errno] ?? '' };
  }

  private require(holds: boolean, problem: string): void {
    if (!holds) this.fail(problem);
  }

  private fail(problem: string): never {
    throw new TinyrunError('PROGRAM', `the ${this.what} of a binary program is malformed: ${problem}`);
  }

  private checkHeader(): void {
    const { header: h } = this;
    this.require(h.magic === layout.MAGIC, 'it does not start with TRYN');
    this.require(h.version === layout.VERSION, `version ${h.version} is not ${layout.VERSION}`);
    this.require(h.size === this.bytes.length, `it says ${h.size} bytes and has ${this.bytes.length}`);
    this.require(
      h.arenaSize === this.arenaLength,
      `it says ${h.arenaSize} bytes of arena, not ${this.arenaLength}`,
    );
    const inside = (at: number, count: number, size: number) =>
      at >= 0 && count >= 0 && at + count * size <= h.size;
    this.require(
      h.opCount <= layout.MAX_OPS && inside(h.opsAt, h.opCount, layout.OP_SIZE),
      `${h.opCount} ops`,
    );
    this.require(inside(h.errnosAt, h.errnoCount, 8), `${h.errnoCount} errnos at ${h.errnosAt}`);
    const registers = h.registerCount > layout.STDERR_INDEX && h.registerCount <= layout.MAX_REGISTERS;
    this.require(registers, `${h.registerCount} registers`);
    this.require(h.reportCount >= 0 && h.reportCount <= layout.MAX_REPORTS, `${h.reportCount} reports`);
  }

  private report(name: 'report0' | 'report1'): DecodedReport {
    const { header } = this;
    return {
      reg: this.register(header[`${name}Register`]),
      json: header[`${name}Json`] !== 0,
      prefix: this.text(header[`${name}PrefixAt`], header[`${name}PrefixLength`]),
      suffix: this.text(header[`${name}SuffixAt`], header[`${name}SuffixLength`]),
    };
  }

  private op(at: number): DecodedOp {
    const kind = kindNames[this.view.getUint8(at)];
    const number = (i: number) => Number(this.argument(at, i));
    const bytes = () => {
      this.require([1, 2, 4, 8].includes(number(2)), `${number(2)} bytes`);
      return number(2);
    };
    const line = this.span(at + layout.OP_WORDS + 16);
    switch (kind) {
      case 'call':
        return { kind, line, ...this.call(at) };
      case 'jump':
        return { kind, line, target: this.target(number(0)) };
      case 'branch': {
        const is = comparisonNames[number(1)];
        if (is === undefined) return this.fail(`comparison ${number(1)}`);
        const value = BigInt.asIntN(64, this.argument(at, 2));
        return { kind, line, reg: this.register(number(0)), is, value, target: this.target(number(3)) };
      }
      case 'set':
        return { kind, line, to: this.to(at), value: BigInt.asIntN(64, this.argument(at, 0)) };
      case 'format': {
        const [width, pad] = [number(2), number(3)];
        const room = this.arena(number(1), width === 0 ? layout.MAX_DECIMAL : width);
        return { kind, line, reg: this.register(number(0)), at: room, width, pad, to: this.optionalTo(at) };
      }
      case 'store':
        return {
          kind,
          line,
          reg: this.register(number(0)),
          at: this.arena(number(1), bytes()),
          bytes: bytes(),
        };
      case 'load':
        return { kind, line, at: this.arena(number(1), bytes()), bytes: bytes(), to: this.to(at) };
      case 'exitcode':
        return { kind, line, reg: this.register(number(0)), to: this.to(at) };
      case 'fail':
        return { kind, line, failure: this.failure(at) };
    }
    return this.fail(`kind ${this.view.getUint8(at)}`);
  }

  private call(at: number): Omit<DecodedCall, 'kind' | 'line'> {
    const [argCount, ruleCount] = [this.view.getUint8(at + 2), this.view.getUint8(at + 3)];
    this.require(argCount <= layout.MAX_ARGS, `${argCount} arguments`);
    this.require(ruleCount <= layout.MAX_ERRORS, `${ruleCount} error rules`);
    const argKinds = this.view.getUint16(at + 6, true);
    const args = Array.from({ length: argCount }, (_, i) =>
      this.arg(this.argument(at, i), (argKinds >> (2 * i)) & 3),
    );
    const rules = Array.from({ length: ruleCount }, (_, i) => {
      const errno = this.view.getUint16(at + layout.OP_ERRORS + 4 * i, true);
      const target = this.target(this.view.getUint16(at + layout.OP_ERRORS + 4 * i + 2, true));
      return { errno: errno === layout.ANY_ERRNO ? undefined : errno, target };
    });
    return {
      number: this.view.getUint16(at + 4, true),
      args,
      to: this.optionalTo(at),
      rules,
      noReturn: (argKinds & layout.NO_RETURN) !== 0,
      failure: this.failure(at),
    };
  }

  private arg(value: bigint, kindNumber: number): DecodedArg {
    const kind = argKindNames[kindNumber]!;
    switch (kind) {
      case 'immediate':
        return { kind, value };
      case 'register':
        return { kind, index: this.register(Number(value)) };
      case 'arena':
        return { kind, at: this.arena(Number(value), 0) };
      case 'data':
        this.require(value <= BigInt(this.header.size), `data at ${value}`);
        return { kind, at: Number(value) };
    }
  }

  private failure(at: number): Failure {
    const target = this.view.getUint16(at + layout.OP_FAIL, true);
    return {
      target: target === layout.NO_TARGET ? undefined : this.target(target),
      exit: this.view.getUint16(at + layout.OP_FAIL + 2, true),
      text: this.span(at + layout.OP_WORDS),
      json: this.span(at + layout.OP_WORDS + 8),
    };
  }

  // Parts of an op

  private argument(at: number, i: number): bigint {
    return this.view.getBigUint64(at + layout.OP_ARGS + 8 * i, true);
  }

  private target(index: number): number {
    this.require(index < this.header.opCount, `it goes to op ${index} of ${this.header.opCount}`);
    return index;
  }

  private register(index: number): number {
    this.require(
      index >= 0 && index < this.header.registerCount,
      `register ${index} of ${this.header.registerCount}`,
    );
    return index;
  }

  private to(at: number): number {
    return this.register(this.view.getUint8(at + 1));
  }

  private optionalTo(at: number): number | undefined {
    return this.view.getUint8(at + 1) === layout.NO_REGISTER ? undefined : this.to(at);
  }

  private arena(at: number, size: number): number {
    this.require(at + size <= this.arenaLength, `byte ${at + size} of an arena of ${this.arenaLength}`);
    return at;
  }

  private span(at: number): string {
    return this.text(this.view.getUint32(at, true), this.view.getUint32(at + 4, true));
  }

  private text(at: number, length: number): string {
    this.require(
      at >= 0 && length >= 0 && at + length <= this.header.size,
      `words at ${at}, ${length} bytes`,
    );
    return utf8.decode(this.bytes.subarray(at, at + length));
  }
}
