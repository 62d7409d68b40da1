// The constants of a program: strings, structs, argument vectors, behind its ops in the read-only segment.
//
//   head (header, ops, errno table)  |  strings, each with its NUL  |  structs, vectors, bytes, each aligned to 8
//
// Strings have an offset at once. What stands behind them has one relative to a base that is known at the end.

import { TinyrunError } from '../errors.ts';
import { structs } from '../sys/structs.ts';
import { ARENA_ADDRESS, PROGRAM_ADDRESS } from './layout.ts';
import type { Arg } from './op.ts';

/** Operands that point at something to be placed. */
export type Placed = Extract<
  Arg,
  { bytes: unknown } | { vec: unknown } | { struct: unknown } | { structs: unknown }
>;

interface Resolve {
  flags: (names: readonly string[]) => number;
  /** The arena offset of a buffer. */
  buffer: (name: string, at: number) => number;
}

const utf8 = new TextEncoder();
const byteLength = (text: string): number => utf8.encode(text).length;

export class ConstantData {
  private readonly start: number;
  private readonly exact: boolean;
  private readonly resolve: Resolve;
  private readonly known = new Map<string, number>();
  private readonly strings: string[] = [];
  private stringsEnd: number;
  private bytes = new Uint8Array(8192);
  private view = new DataView(this.bytes.buffer);
  private used = 0;
  private readonly pointers: number[] = [];
  /** Those of `pointers` that point behind the strings. */
  private readonly inner: number[] = [];

  /**
   * @param start offset of the first string
   * @param exact count the bytes of each string, instead of taking all for ASCII
   */
  constructor(start: number, exact: boolean, resolve: Resolve) {
    this.start = start;
    this.stringsEnd = start;
    this.exact = exact;
    this.resolve = resolve;
  }

  /** The offset of a NUL-terminated string; the same string is kept once. */
  string(value: string): number {
    const known = this.known.get(value);
    if (known !== undefined) return known;
    const at = this.stringsEnd;
    this.known.set(value, at);
    this.strings.push(value);
    this.stringsEnd = at + this.sizeOf(value) + 1;
    return at;
  }

  /** The offset of words, which are hardly ever the same twice: not worth a look-up. */
  words(value: string): number {
    const at = this.stringsEnd;
    this.strings.push(value);
    this.stringsEnd = at + this.sizeOf(value) + 1;
    return at;
  }

  /** The offset that the next new string will have. */
  nextString(): number {
    return this.stringsEnd;
  }

  /** Bytes of a string, without its NUL. */
  sizeOf(value: string): number {
    return this.exact ? byteLength(value) : value.length;
  }

  /** Bytes of the whole segment, with a head of `size` bytes. */
  sizeWith(size: number): number {
    return this.base(size) + this.used;
  }

  private base(head: number): number {
    return (head - this.start + this.stringsEnd + 7) & -8;
  }

  /** Places what an operand points at; returns its offset behind the strings. */
  place(arg: Placed): number {
    if ('bytes' in arg) {
      const at = this.take(arg.bytes.length);
      this.bytes.set(arg.bytes, at);
      return at;
    }
    if ('vec' in arg) {
      const at = this.take(8 * (arg.vec.length + 1));
      for (let i = 0; i < arg.vec.length; i++) this.field(at + 8 * i, 8, arg.vec[i]!);
      return at;
    }
    if ('struct' in arg) return this.structs(arg.struct, [arg.fields]);
    return this.structs(arg.structs, arg.items);
  }

  private structs(name: string, items: readonly Readonly<Record<string, Arg>>[]): number {
    const struct = structs[name];
    if (struct === undefined) throw new TinyrunError('PROGRAM', `unknown struct ${name}`);
    const start = this.take(struct.size * items.length);
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

  private take(size: number): number {
    const at = (this.used + 7) & -8;
    this.used = at + size;
    if (this.used > this.bytes.length) {
      const larger = new Uint8Array(2 * this.used);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }

  private field(at: number, bytes: number, arg: Arg): void {
    const value = this.fieldValue(at, arg);
    if (bytes === 8) {
      this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    } else if (bytes === 4) this.view.setUint32(at, Number(value) >>> 0, true);
    else if (bytes === 2) this.view.setUint16(at, Number(value), true);
    else this.view.setUint8(at, Number(value));
  }

  private fieldValue(at: number, arg: Arg): number | bigint {
    if (typeof arg === 'number' || typeof arg === 'bigint') return arg;
    if (typeof arg === 'object' && 'flags' in arg) return this.resolve.flags(arg.flags);
    if (typeof arg === 'object' && 'reg' in arg)
      throw new TinyrunError('PROGRAM', `register ${arg.reg} stands in a constant: store it into a buffer`);
    this.pointers.push(at);
    if (typeof arg === 'string') return PROGRAM_ADDRESS + this.string(arg);
    if ('buf' in arg) return ARENA_ADDRESS + this.resolve.buffer(arg.buf, arg.at ?? 0);
    this.inner.push(at);
    return PROGRAM_ADDRESS + this.place(arg);
  }

  /**
   * Puts the segment together.
   * @param refs words of the head that hold an offset behind the strings
   * @returns undefined if a string was not ASCII after all
   */
  finish(
    head: Uint32Array<ArrayBuffer>,
    refs: readonly number[],
  ): { bytes: Uint8Array<ArrayBuffer>; pointers: number[] } | undefined {
    const base = this.base(head.byteLength);
    const all = new Uint8Array(base + this.used);
    for (let i = 0; i < refs.length; i++) head[refs[i]!]! += base;
    for (let i = 0; i < this.inner.length; i++) {
      const at = this.inner[i]!;
      this.view.setUint32(at, this.view.getUint32(at, true) + base, true);
    }
    all.set(new Uint8Array(head.buffer));
    const text = this.strings.join('\0');
    const size = this.stringsEnd - this.start;
    const { read, written } = utf8.encodeInto(text, all.subarray(head.byteLength, head.byteLength + size));
    if (read !== text.length || written !== Math.max(size - 1, 0)) return undefined;
    all.set(this.bytes.subarray(0, this.used), base);
    return { bytes: all, pointers: this.pointers.map((at) => at + base) };
  }
}
