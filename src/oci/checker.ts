// The small checks that validate.ts and its neighbours are made of: is this field there, of this type, in this range?
// Every method reads one field, notes what is wrong with it, and gives the value back only if nothing is; so checks
// go on after a problem and all of them are found at once. Absent fields are fine unless asked for with `required`.
// A field that is null is absent: it is deleted when it is read, so the object is a Config afterwards.
//
// All of this runs once in a short-lived process, where the first call of anything is what costs: hence plain loops
// (JavaScriptCore compiles Array's forEach, map and filter on first use), and pointers made only for a problem.
import type { Json } from './json.ts';

export interface Problem {
  /** JSON pointer (RFC 6901) into the file. */
  pointer: string;
  /** With the value, so that it reads on its own after the pointer. */
  message: string;
  value?: unknown;
}

export interface Range {
  min: number | bigint;
  max: number | bigint;
  /** `a 32-bit unsigned integer` */
  what: string;
}

export const UINT16: Range = { min: 0, max: 0xffff, what: 'a 16-bit unsigned integer' };
export const UINT32: Range = { min: 0, max: 0xffffffff, what: 'a 32-bit unsigned integer' };
export const INT32: Range = { min: -0x80000000, max: 0x7fffffff, what: 'a 32-bit integer' };
export const UINT64: Range = { min: 0, max: 0xffffffffffffffffn, what: 'a 64-bit unsigned integer' };
export const INT64: Range = {
  min: -0x8000000000000000n,
  max: 0x7fffffffffffffffn,
  what: 'a 64-bit integer',
};

/** A value as messages show it: on one line, not too long. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return value.length <= 80 ? JSON.stringify(value) : JSON.stringify(value.slice(0, 77)) + '...';
  }
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** `/linux/sysctl` + `net/ipv4/x` -> `/linux/sysctl/net~1ipv4~1x`. */
export function pointerTo(at: string, key: string): string {
  return `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

const NONE: readonly never[] = [];

function isInteger(value: unknown, { min, max }: Range): value is number | bigint {
  if (typeof value !== 'bigint' && (typeof value !== 'number' || !Number.isInteger(value))) return false;
  return value >= min && value <= max;
}

export class Checker {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  fail(pointer: string, message: string, value?: unknown): void {
    this.problems.push(value === undefined ? { pointer, message } : { pointer, message, value });
  }

  warn(pointer: string, message: string, value?: unknown): void {
    this.warnings.push(value === undefined ? { pointer, message } : { pointer, message, value });
  }

  private read(of: Json, key: string): unknown {
    const value = of[key];
    if (value !== null) return value;
    delete of[key];
    return undefined;
  }

  /** Notes that a field is absent; its type is checked by another method. */
  required(of: Json, at: string, key: string): boolean {
    if (this.read(of, key) !== undefined) return true;
    this.fail(`${at}/${key}`, 'is missing');
    return false;
  }

  private wrong(pointer: string, value: unknown, what: string): undefined {
    this.fail(pointer, `${show(value)} is not ${what}`, value);
    return undefined;
  }

  boolean(of: Json, at: string, key: string): boolean | undefined {
    const value = this.read(of, key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.wrong(`${at}/${key}`, value, 'true or false');
  }

  /** Strings go to the kernel as C strings, where a NUL byte would cut them off: none may have one. */
  private text(value: unknown, pointer: string): value is string {
    if (typeof value !== 'string') this.wrong(pointer, value, 'a string');
    else if (value.includes('\0')) this.fail(pointer, `${show(value)} contains a NUL byte`, value);
    else return true;
    return false;
  }

  string(of: Json, at: string, key: string): string | undefined {
    const value = this.read(of, key);
    return value !== undefined && this.text(value, `${at}/${key}`) ? value : undefined;
  }

  absolutePath(of: Json, at: string, key: string): string | undefined {
    const value = this.string(of, at, key);
    if (value === undefined || value.startsWith('/')) return value;
    return this.wrong(`${at}/${key}`, value, 'an absolute path');
  }

  oneOf(of: Json, at: string, key: string, allowed: readonly string[]): string | undefined {
    const value = this.string(of, at, key);
    if (value === undefined || allowed.includes(value)) return value;
    return this.wrong(`${at}/${key}`, value, `one of ${allowed.join(', ')}`);
  }

  integer(of: Json, at: string, key: string, range: Range): number | bigint | undefined {
    const value = this.read(of, key);
    if (value === undefined || isInteger(value, range)) return value;
    return this.wrong(`${at}/${key}`, value, range.what);
  }

  id(of: Json, at: string, key: string): void {
    const value = this.read(of, key);
    if (value !== undefined) this.idValue(value, `${at}/${key}`);
  }

  ids(of: Json, at: string, key: string): void {
    const values = this.list(of, at, key);
    for (let i = 0; i < values.length; i++) this.idValue(values[i], `${at}/${key}/${i}`);
  }

  /**
   * A user or group id. 4294967295 is (uid_t)-1: setresuid(2) and chown(2) take it for "leave it as it is", so a process
   * meant to lose root would keep it. runc refuses it too (and everything above 2^31).
   */
  private idValue(value: unknown, pointer: string): void {
    if (!isInteger(value, UINT32)) this.wrong(pointer, value, UINT32.what);
    else if (value === 0xffffffff)
      this.fail(pointer, `${value} is no id, it means "unchanged" to the kernel`, value);
  }

  object(of: Json, at: string, key: string): Json | undefined {
    const value = this.read(of, key);
    if (value === undefined) return undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
    return this.wrong(`${at}/${key}`, value, 'an object');
  }

  list(of: Json, at: string, key: string): readonly unknown[] {
    const value = this.read(of, key);
    if (value === undefined || Array.isArray(value)) return value ?? NONE;
    this.wrong(`${at}/${key}`, value, 'a list');
    return NONE;
  }

  /** The length of a list, 0 if it is absent or none. */
  countOf(of: Json, key: string): number {
    const value = of[key];
    return Array.isArray(value) ? value.length : 0;
  }

  /** The strings of a list; other elements are noted and left out. */
  strings(of: Json, at: string, key: string): readonly string[] {
    const values = this.list(of, at, key);
    for (const value of values) {
      if (typeof value !== 'string' || value.includes('\0'))
        return values.filter((value, i): value is string => this.text(value, `${at}/${key}/${i}`));
    }
    return values as readonly string[];
  }

  /** Calls `check` with each object of a list and its pointer. */
  objects(of: Json, at: string, key: string, check: (item: Json, at: string) => void): void {
    const values = this.list(of, at, key);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        check(value as Json, `${at}/${key}/${i}`);
      else this.wrong(`${at}/${key}/${i}`, value, 'an object');
    }
  }

  /** An object whose values are all strings: its entries, those of another type noted and left out. */
  stringMap(of: Json, at: string, key: string): [string, string][] {
    const entries: [string, string][] = [];
    const map = this.object(of, at, key);
    for (const name in map) {
      const value = map[name];
      if (typeof value === 'string' && !value.includes('\0')) entries.push([name, value]);
      else this.text(value, pointerTo(`${at}/${key}`, name));
    }
    return entries;
  }
}
