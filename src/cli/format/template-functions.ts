// The functions that Docker's users call in templates: those of Go's text/template, and Docker's own.

import { entriesOf, isRecord, isTrue, printGo, toJson, typeName } from './go-value.ts';
import { formatVerbs } from './printf.ts';

/** Called with all arguments; what it throws as `Error` is told with the function's name. */
export type TemplateFunction = (...values: unknown[]) => unknown;

/** `and`, `or`: these stop at the first value that decides (template.ts calls them one by one). */
export const SHORT_CIRCUIT: Readonly<Record<string, boolean>> = { and: false, or: true };

const HTML: Readonly<Record<string, string>> = {
  ...{ '"': '&#34;', "'": '&#39;', '&': '&amp;', '<': '&lt;', '>': '&gt;' },
};

export const functions: Readonly<Record<string, TemplateFunction>> = {
  // Go's
  not: (value) => !isTrue(value),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce(elementOf, value),
  slice: (value, from = 0, to = lengthOf(value)) => sliceOf(value, from, to),
  print: (...values) => printAll(values),
  println: (...values) => `${values.map(printGo).join(' ')}\n`,
  printf: (format, ...values) => formatVerbs(textOf(format), values),
  html: (...values) => printAll(values).replace(/["'&<>]/g, (c) => HTML[c]!),
  js: (...values) => JSON.stringify(printAll(values)).slice(1, -1),
  urlquery: (...values) => encodeURIComponent(printAll(values)).replaceAll('%20', '+'),
  eq: (value, ...others) => others.some((other) => isEqual(value, other)),
  ne: (a, b) => !isEqual(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  // Docker's
  json: (value) => toJson(value),
  join: (list, separator) => listOf(list).map(printGo).join(textOf(separator)),
  split: (text, separator) => textOf(text).split(textOf(separator)),
  lower: (text) => textOf(text).toLowerCase(),
  upper: (text) => textOf(text).toUpperCase(),
  title: (text) => textOf(text).replace(/(?<![\p{L}\p{N}_'])\p{L}/gu, (letter) => letter.toUpperCase()),
  pad: (text, before, after) => {
    const shown = textOf(text);
    return shown === '' ? '' : ' '.repeat(Number(before)) + shown + ' '.repeat(Number(after));
  },
  truncate: (text, length) => [...textOf(text)].slice(0, Number(length)).join(''),
};

/** As Go's fmt.Sprint: a space between two values neither of which is a text. */
const printAll = (values: readonly unknown[]): string =>
  values.reduce<string>((text, value, index) => {
    const apart = index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string';
    return `${text}${apart ? ' ' : ''}${printGo(value)}`;
  }, '');

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`wrong type for value; expected string; got ${typeName(value)}`);
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined) return [];
  throw new Error(`wrong type for value; expected []string; got ${typeName(value)}`);
}

/** Of a text the bytes, as in Go. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return new TextEncoder().encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (isRecord(value)) return entriesOf(value).length;
  if (value === null || value === undefined) throw new Error('len of nil pointer');
  throw new Error(`len of type ${typeName(value)}`);
}

/** One step of `index`; a map has nothing under other names, which is no mistake. */
function elementOf(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) throw new Error('index of untyped nil');
  if (isRecord(value)) return entriesOf(value).find(([name]) => name === String(key))?.[1] ?? '';
  if (!Array.isArray(value) && typeof value !== 'string')
    throw new Error(`can't index item of type ${typeName(value)}`);
  if (typeof key !== 'number') throw new Error(`cannot index slice/array with type ${typeName(key)}`);
  if (key < 0 || key >= value.length) throw new Error(`index out of range: ${key}`);
  return typeof value === 'string' ? value.charCodeAt(key) : value[key];
}

function sliceOf(value: unknown, from: unknown, to: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value))
    throw new Error(`can't slice item of type ${typeName(value)}`);
  const [start, end] = [Number(from), Number(to)];
  for (const at of [start, end])
    if (!(at >= 0 && at <= value.length)) throw new Error(`index out of range: ${at}`);
  if (start > end) throw new Error(`invalid slice index: ${start} > ${end}`);
  return value.slice(start, end);
}

/** Values that have an order. */
const isBasic = (value: unknown): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value);

function isEqual(a: unknown, b: unknown): boolean {
  const isNothing = (value: unknown): boolean => value === null || value === undefined;
  if (isNothing(a) || isNothing(b)) return isNothing(a) && isNothing(b);
  if (!isBasic(a) || !isBasic(b)) throw new Error('non-comparable type');
  if (typeof a !== typeof b) throw new Error('incompatible types for comparison');
  return a === b;
}

function compare(a: unknown, b: unknown): number {
  if (!isBasic(a) || !isBasic(b) || typeof a === 'boolean') throw new Error('invalid type for comparison');
  if (typeof a !== typeof b) throw new Error('incompatible types for comparison');
  return a < b ? -1 : Number(a > b);
}
