// One line of a program's text form -> its tokens: what parse.ts reads from left to right.

import { TinyrunError } from '../errors.ts';

const token = /\s*("(?:[^"\\]|\\.)*"|->|[=!>]=|[<&|*,:=(){}[\]+$]|-?\d\w*|[A-Za-z_](?:[\w./-]*[\w./])?)/y;

/** Reads the tokens of a line. Every method that expects something throws PROGRAM with the line if it isn't there. */
export class Cursor {
  private readonly tokens: string[] = [];
  private readonly line: number;
  private at = 0;

  constructor(text: string, line: number) {
    this.line = line;
    if (text.startsWith(';')) return; // words are no tokens
    token.lastIndex = 0;
    for (let end = 0; end < text.trimEnd().length; end = token.lastIndex) {
      const match = token.exec(text) ?? this.fail(`unexpected ${text.slice(end).trim().slice(0, 20)}`);
      this.tokens.push(match[1]!);
    }
  }

  fail(message: string): never {
    throw new TinyrunError('PROGRAM', `line ${this.line}: ${message}`, { data: { line: this.line } });
  }

  /** The token that many places on, or an empty string behind the last one. */
  peek(ahead = 0): string {
    return this.tokens[this.at + ahead] ?? '';
  }

  next(): string {
    const token = this.peek();
    this.at += 1;
    return token;
  }

  accept(token: string): boolean {
    if (this.peek() !== token) return false;
    this.at += 1;
    return true;
  }

  take(token: string): void {
    if (!this.accept(token)) this.expected(`\`${token}\``);
  }

  end(): void {
    if (this.at < this.tokens.length) this.expected('the end of the line');
  }

  name(): string {
    return /^[A-Za-z_]/.test(this.peek()) ? this.next() : this.expected('a name');
  }

  constant(): string {
    return /^_*[A-Z]/.test(this.peek()) ? this.next() : this.expected('an operand');
  }

  errno(): string {
    return /^(E[A-Z0-9]+|\*)$/.test(this.peek()) ? this.next() : this.expected('the name of an errno');
  }

  startsNumber(): boolean {
    return /^-?\d/.test(this.peek());
  }

  /** Decimal, 0octal, 0xhex; with an n behind it, a bigint. */
  number(): number | bigint {
    const token = this.peek();
    const [, sign, digits, big] = /^(-?)(0x[0-9a-f]+|\d+)(n?)$/.exec(token) ?? this.expected('a number');
    const literal = /^0[0-7]+$/.test(digits!) ? `0o${digits!.slice(1)}` : digits!;
    if (/^0\d/.test(literal)) this.expected('an octal number');
    const value = sign === '-' ? -BigInt(literal) : BigInt(literal);
    if (big !== 'n' && !Number.isSafeInteger(Number(value)))
      this.expected('at most 2^53, or an n behind the number');
    this.at += 1;
    return big === 'n' ? value : Number(value);
  }

  integer(): number {
    if (this.peek().endsWith('n')) this.expected('a number without n');
    return Number(this.number());
  }

  isString(): boolean {
    return this.peek().startsWith('"');
  }

  /** A string with the escapes of JSON. */
  string(): string {
    if (!this.isString()) this.expected('a string');
    try {
      return JSON.parse(this.next()) as string;
    } catch {
      return this.fail(`a string has the escapes of JSON: ${this.tokens[this.at - 1]}`);
    }
  }

  /** `base64"..."` */
  bytes(): Uint8Array<ArrayBuffer> {
    this.take('base64');
    const text = this.string();
    try {
      return Uint8Array.fromBase64(text);
    } catch {
      return this.fail(`not base64: ${text.slice(0, 40)}`);
    }
  }

  private expected(what: string): never {
    return this.fail(
      `expected ${what}, not ${this.at < this.tokens.length ? `\`${this.peek()}\`` : 'the end of the line'}`,
    );
  }
}
