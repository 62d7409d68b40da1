// Values as Go has and prints them. Docker's templates show a Go program's values, and scripts rely on how they look:
// a slice is `[a b]`, a struct `{a b}`, a map `map[k:v]`. JavaScript has one kind of object for the last two.

import { printable } from '../../errors.ts';

/**
 * Whether an object is what Go would have as a struct: all its names begin with a capital letter, as exported fields do.
 * All others, and any Map, are maps: labels, options, `80/tcp`. A field that is undefined is a struct's empty text that JSON
 * leaves out (`omitempty`).
 */
export function isStruct(value: object): boolean {
  if (value instanceof Map || Array.isArray(value)) return false;
  const names = Object.keys(value);
  return names.length > 0 && names.every((name) => /^[A-Z][A-Za-z0-9]*$/.test(name));
}

const NIL_MAP: ReadonlyMap<string, unknown> = new Map();
const NIL_SLICE: readonly unknown[] = [];

/** The fields that are a map or a slice in Go: without one they are as empty ones, but `null` in JSON. */
const NIL: Readonly<Record<string, unknown>> = {
  ...{ Cmd: NIL_SLICE, Entrypoint: NIL_SLICE, Env: NIL_SLICE, ExecIDs: NIL_SLICE, OnBuild: NIL_SLICE },
  ...{ ExposedPorts: NIL_MAP, Labels: NIL_MAP, Volumes: NIL_MAP },
};

/** What a field of a struct has in Go. */
export function fieldValue(name: string, value: unknown): unknown {
  if (value !== null && value !== undefined) return value;
  if (Object.hasOwn(NIL, name)) return NIL[name];
  return value === undefined ? '' : value;
}

/** Whether a value is an object with names, be it a map or a struct. */
export const isRecord = (
  value: unknown,
): value is Readonly<Record<string, unknown>> | Map<unknown, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The entries of a map by name, as Go walks through it; those of a struct in their own order. */
export function entriesOf(
  value: Readonly<Record<string, unknown>> | Map<unknown, unknown>,
): [string, unknown][] {
  const entries: [string, unknown][] =
    value instanceof Map ? [...value].map(([key, of]) => [String(key), of]) : Object.entries(value);
  return isStruct(value) ? entries : entries.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

/** As Go's `%v` prints a value: text/template's form of it. */
export function printGo(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  return printInner(value);
}

function printInner(value: unknown): string {
  if (value === null) return '<nil>';
  if (value === undefined) return '';
  if (typeof value === 'number') return printNumber(value);
  if (Array.isArray(value)) return `[${value.map(printInner).join(' ')}]`;
  if (!isRecord(value)) return String(value);
  const entries = entriesOf(value);
  if (isStruct(value)) return `{${entries.map(([name, of]) => printInner(fieldValue(name, of))).join(' ')}}`;
  return `map[${entries.map(([key, of]) => `${key}:${printInner(of)}`).join(' ')}]`;
}

/** `%v` of a float64: an exponent of at least two digits, and only where Go has one. */
function printNumber(value: number): string {
  const [digits, exponent] = value.toString().split('e');
  if (value !== 0 && Math.abs(value) < 1e-4 && exponent === undefined)
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return exponent === undefined ? digits! : `${digits}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}

/** What a value is in Go's words. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'object') return 'map';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? (Number.isInteger(value) ? 'int' : 'float64') : typeof value;
}

/** What `{{if}}` takes for true: all but zero, nothing, and what is empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/**
 * JSON as Docker writes it: maps by name, methods and fields that are undefined left out.
 * @param indent spaces a level; undefined: all in one line
 */
export function toJson(value: unknown, indent?: number): string {
  if (value === NIL_MAP || value === NIL_SLICE) return 'null';
  const replace = (_key: string, of: unknown): unknown =>
    isRecord(of) && !isStruct(of) ? Object.fromEntries(entriesOf(of)) : of;
  return JSON.stringify(value, replace, indent) ?? 'null';
}

/** A text in Go's `%q`: in double quotes, with what a terminal would act on as escapes. */
export const quote = (text: string): string => printable(JSON.stringify(text), false);
