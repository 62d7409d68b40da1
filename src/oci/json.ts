// JSON text -> objects, for files that people and engines write: config.json, a process file, resources of an update.
// Two things JSON.parse does not do: say where an error is, and keep integers above 2^53 (seccomp compares 64 bits, and
// RLIM_INFINITY is 2^64-1). Both cost next to nothing on a text that has no need of them.
import { TinyrunError } from '../errors.ts';

/** An object of JSON whose fields are still unchecked. */
export type Json = Record<string, unknown>;

/** TypeScript's library does not know the reviver's third argument yet: a primitive's own source text (ES2026). */
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

function exactIntegers(_key: string, value: unknown, { source }: { source?: string }): unknown {
  const inexact = typeof value === 'number' && !Number.isSafeInteger(value);
  return inexact && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/**
 * Parses a text that must be one JSON object. Integers that a double cannot hold become bigints.
 *
 * @param file how messages call the text: `config.json`
 * @throws TinyrunError CONFIG with line and column
 */
export function parseJsonObject(text: string, file: string): Json {
  if (text.trim() === '') throw new TinyrunError('CONFIG', `${file} is empty`, { data: { file } });
  let value: unknown;
  try {
    value = /\d{16}/.test(text) ? parseWithSource(text, exactIntegers) : JSON.parse(text);
  } catch (cause) {
    const { line, column, message } = locateJsonError(text, cause);
    const where = `${file}: line ${line}, column ${column}`;
    throw new TinyrunError('CONFIG', `${where}: ${message}`, { cause, data: { file, line, column } });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const found = Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
    throw new TinyrunError('CONFIG', `${file} must hold a JSON object, it holds ${found}`, {
      data: { file },
    });
  }
  return value as Json;
}

/** The library does not know this one either: a text that is printed as it is (ES2026). */
const { rawJSON } = JSON as typeof JSON & { rawJSON: (text: string) => unknown };

/** A value as JSON; bigints, which parseJsonObject makes of large integers, are printed as the integers they are. */
export function exactJson(value: unknown, indent?: number): string {
  const integers = (_key: string, value: unknown) =>
    typeof value === 'bigint' ? rawJSON(`${value}`) : value;
  return JSON.stringify(value, integers, indent);
}

/** One token of JSON, or of what people write instead; the groups say which. */
const TOKEN =
  /(?:([{}[\]:,])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-]))/y;

const SPACE = /[ \t\r\n]*/y;

interface JsonError {
  line: number; // from 1
  column: number; // from 1, in UTF-16 units, as editors count
  message: string;
}

/** Finds the first place where a text that JSON.parse refused stops being JSON. */
function locateJsonError(text: string, cause: unknown): JsonError {
  const open: string[] = []; // the braces and brackets not closed yet
  let expects = 'value'; // what the grammar wants next
  TOKEN.lastIndex = 0;
  for (;;) {
    SPACE.lastIndex = TOKEN.lastIndex;
    SPACE.exec(text);
    const start = SPACE.lastIndex;
    TOKEN.lastIndex = start;
    const token = TOKEN.exec(text);
    const kind = token === null ? 'none' : (token[1] ?? (token[2] === undefined ? 'literal' : 'string'));
    const next = token === null ? undefined : nextExpected(expects, kind, open);
    if (next === undefined) return describe(text, start, expects, open, cause);
    expects = next;
  }
}

/** The grammar as a step: what is expected after `kind`, or undefined if `kind` must not stand here. */
function nextExpected(expects: string, kind: string, open: string[]): string | undefined {
  const afterValue = () =>
    open.length === 0 ? 'the end' : open.at(-1) === '{' ? 'a comma or }' : 'a comma or ]';
  const close = () => {
    open.pop();
    return afterValue();
  };
  switch (expects) {
    case 'value':
    case 'value or ]':
      if (kind === '{' || kind === '[') {
        open.push(kind);
        return kind === '{' ? 'a name in double quotes or }' : 'value or ]';
      }
      if (kind === ']' && expects === 'value or ]') return close();
      return kind === 'literal' || kind === 'string' ? afterValue() : undefined;
    case 'a name in double quotes or }':
      return kind === '}' ? close() : kind === 'string' ? 'a colon' : undefined;
    case 'a name in double quotes':
      return kind === 'string' ? 'a colon' : undefined;
    case 'a colon':
      return kind === ':' ? 'value' : undefined;
    case 'a comma or }':
      return kind === ',' ? 'a name in double quotes' : kind === '}' ? close() : undefined;
    case 'a comma or ]':
      return kind === ',' ? 'value' : kind === ']' ? close() : undefined;
    default:
      return undefined;
  }
}

function describe(text: string, at: number, expects: string, open: string[], cause: unknown): JsonError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  if (at >= text.length) {
    // Every token was fine and the nesting is closed: JSON.parse saw something else, so its own words are all there is.
    if (expects === 'the end') return { line, column, message: String(cause) };
    const left = open.length === 1 ? 'one { or [ is' : `${open.length} { or [ are`;
    return { line, column, message: `the text ends too early, ${left} still open: is the file truncated?` };
  }
  const wanted = expects.startsWith('value') ? expects.replace('value', 'a value') : expects;
  const found = text.slice(at).match(/^"[^"\n]{0,20}"?|^[\w.+-]{1,20}|^./su)![0];
  const stringFits = found.startsWith('"') && nextExpected(expects, 'string', [...open]) !== undefined;
  const flaw = stringFits ? ': a string that is not closed, or with a wrong escape in it' : '';
  return { line, column, message: `expected ${wanted}, found ${JSON.stringify(found)}${flaw}` };
}
