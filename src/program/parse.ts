// The text form of a program -> a Program (spec/program.md, "Text form"). Reads what text.ts prints, and what a person
// writes by hand: any indentation, `#` comment lines. Only the syntax is looked at here; check.ts knows the rest.

import { Cursor } from './cursor.ts';
import type { Arg, Buffer, Comparison, ErrorPolicy, Op, Program, Report, Section, Words } from './op.ts';
import { call as makeCall } from './ops.ts';

/** A section and the program's parts that are still being read. */
interface Draft {
  sections: (Section & { ops: Op[] })[];
  buffers: Buffer[];
  reports: Report[];
  trace?: number;
  step?: number;
}

const noWords: Words = { what: '', why: '', from: '' };
const declarations = new Set(['buffer', 'report', 'trace', 'step', 'section']);
const comparisons: readonly Comparison[] = ['==', '!=', '<', '>=', '&'];

/** Reads the text form. Throws PROGRAM with the line: `line 12: expected ")", not "]"`. */
export function parseProgram(text: string): Program {
  const draft: Draft = { sections: [], buffers: [], reports: [] };
  let words: Words | undefined;
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line === '' || line.startsWith('#')) continue;
    const cursor = new Cursor(line, i + 1);
    if (line.startsWith(';')) {
      if (words !== undefined) cursor.fail('the words above have no op');
      words = parseWords(line.slice(1), cursor);
      continue;
    }
    const keyword = cursor.peek();
    if (declarations.has(keyword) && cursor.peek(1) !== '(') {
      if (words !== undefined) cursor.fail('the words above have no op');
      parseDeclaration(cursor, draft);
    } else {
      const section = draft.sections.at(-1) ?? cursor.fail('an op stands before the first section');
      if (cursor.peek(1) === ':') {
        if (words !== undefined) cursor.fail('a label has no words');
        section.ops.push({ op: 'label', name: cursor.name() });
        cursor.take(':');
      } else section.ops.push(parseOp(cursor, words ?? noWords));
      words = undefined;
    }
    cursor.end();
  }
  if (words !== undefined) new Cursor('', lines.length).fail('the words above have no op');
  return draft;
}

/** `what | why | from`, in which \| \\ \n and \uXXXX are escapes. */
function parseWords(text: string, cursor: Cursor): Words {
  const parts = [''];
  for (const [token, escaped] of text.matchAll(/\\(u[0-9a-f]{4}|.?)|[^\\|]+|\|/g)) {
    if (token === '|') parts.push('');
    else parts[parts.length - 1] += escaped === undefined ? token : unescapeWord(escaped, cursor);
  }
  if (parts.length > 3) cursor.fail('words have three parts: what | why | from');
  const [what = '', why = '', from = ''] = parts.map((part) => part.trim());
  return { what, why, from };
}

function unescapeWord(escaped: string, cursor: Cursor): string {
  if (escaped === 'n') return '\n';
  if (escaped === '\\' || escaped === '|') return escaped;
  if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  return cursor.fail(`words do not know the escape \\${escaped}`);
}

function parseDeclaration(cursor: Cursor, draft: Draft): void {
  const keyword = cursor.name();
  if (keyword === 'buffer') {
    const buffer: Buffer = { name: cursor.name(), size: cursor.integer() };
    if (cursor.isString()) buffer.init = cursor.string();
    else if (cursor.peek() === 'base64') buffer.init = cursor.bytes();
    draft.buffers.push(buffer);
  } else if (keyword === 'report') {
    const reg = register(cursor);
    const format = cursor.name();
    if (format !== 'text' && format !== 'json') cursor.fail(`a report is text or json, not ${format}`);
    draft.reports.push({ reg, format, prefix: cursor.string(), suffix: cursor.string() });
  } else if (keyword === 'trace') draft.trace = cursor.integer();
  else if (keyword === 'step') draft.step = cursor.integer();
  else {
    const name = cursor.name();
    if (name !== 'host' && name !== 'init') cursor.fail(`a section is host or init, not ${name}`);
    const { fail, exit } = parsePolicy(cursor);
    if (fail === undefined || exit === undefined)
      cursor.fail('a section says where failures go: section host fail -> LABEL exit NUMBER');
    draft.sections.push({ name, ops: [], onFail: fail, exit });
  }
}

function parseOp(cursor: Cursor, words: Words): Op {
  if (cursor.peek() === '$') {
    const to = register(cursor);
    cursor.take('=');
    return parseResult(cursor, to, words);
  }
  if (cursor.peek(1) === '(') return parseCall(cursor, undefined, words);
  const keyword = cursor.name();
  switch (keyword) {
    case 'jump':
      return { op: 'jump', to: cursor.name(), ...words };
    case 'if': {
      const reg = register(cursor);
      const sign = cursor.next();
      const is = comparisons.find((known) => known === sign) ?? cursor.fail(`unknown comparison ${sign}`);
      const value = cursor.startsNumber() ? cursor.number() : flags(cursor);
      return { op: 'branch', reg, is, value, to: arrow(cursor), ...words };
    }
    case 'format':
      return parseFormat(cursor, undefined, words);
    case 'fail': {
      const op: Op = { op: 'fail', ...words };
      if (cursor.peek() === '->') op.fail = arrow(cursor);
      if (cursor.accept('exit')) op.exit = cursor.integer();
      return op;
    }
  }
  const bytes = size(keyword, 'store');
  if (bytes === undefined) return cursor.fail(`unknown op ${keyword}`);
  return { op: 'store', reg: register(cursor), ...place(cursor), bytes, ...words };
}

/** An op that sets a register: what stands behind `$to =`. */
function parseResult(cursor: Cursor, to: string, words: Words): Op {
  if (cursor.peek(1) === '(') return parseCall(cursor, to, words);
  if (cursor.startsNumber()) return { op: 'set', to, value: cursor.integer(), ...words };
  if (cursor.accept('format')) return parseFormat(cursor, to, words);
  if (cursor.accept('exitcode')) return { op: 'exitcode', reg: register(cursor), to, ...words };
  const bytes = size(cursor.peek(), 'load');
  if (bytes === undefined) return { op: 'set', to, value: flags(cursor), ...words };
  cursor.next();
  return { op: 'load', ...place(cursor), bytes, to, ...words };
}

function parseCall(cursor: Cursor, to: string | undefined, words: Words): Op {
  const call = cursor.name();
  cursor.take('(');
  const args = list(cursor, ')', parseArg);
  const policy = parsePolicy(cursor);
  return makeCall(call, args, { to, onError: Object.keys(policy).length > 0 ? policy : undefined, ...words });
}

function parseFormat(cursor: Cursor, to: string | undefined, words: Words): Op {
  const op: Op = { op: 'format', reg: register(cursor), ...place(cursor), ...words };
  if (to !== undefined) op.to = to;
  if (cursor.accept('width')) op.width = cursor.integer();
  if (cursor.accept('pad')) op.pad = cursor.string();
  return op;
}

/** `ignore EEXIST, ENOENT  goto EBUSY -> again  fail -> undo  exit 125`, each of them at most once. */
function parsePolicy(cursor: Cursor): ErrorPolicy {
  const policy: ErrorPolicy = {};
  if (cursor.accept('ignore')) {
    const ignore = [cursor.errno()];
    while (cursor.accept(',')) ignore.push(cursor.errno());
    policy.ignore = ignore;
  }
  if (cursor.accept('goto')) {
    const targets: Record<string, string> = {};
    do targets[cursor.errno()] = arrow(cursor);
    while (cursor.accept(','));
    policy.goto = targets;
  }
  if (cursor.accept('fail')) policy.fail = arrow(cursor);
  if (cursor.accept('exit')) policy.exit = cursor.integer();
  return policy;
}

function parseArg(cursor: Cursor): Arg {
  if (cursor.startsNumber()) return cursor.number();
  if (cursor.isString()) return cursor.string();
  switch (cursor.peek()) {
    case '$':
      return { reg: register(cursor) };
    case '&':
      return pointer(cursor);
    case 'base64':
      return { bytes: cursor.bytes() };
    case '[':
      cursor.take('[');
      return { vec: list(cursor, ']', parseArg) };
  }
  if (cursor.peek(1) === '{') return { struct: cursor.name(), fields: fields(cursor) };
  if (cursor.peek(1) !== '[') return flags(cursor);
  const structs = cursor.name();
  cursor.take('[');
  return { structs, items: list(cursor, ']', fields) };
}

function fields(cursor: Cursor): Record<string, Arg> {
  cursor.take('{');
  const pairs = list(cursor, '}', () => {
    const name = cursor.name();
    cursor.take(':');
    return [name, parseArg(cursor)] as const;
  });
  return Object.fromEntries(pairs);
}

function list<Item>(cursor: Cursor, end: string, item: (cursor: Cursor) => Item): Item[] {
  const items: Item[] = [];
  if (cursor.accept(end)) return items;
  do items.push(item(cursor));
  while (cursor.accept(','));
  cursor.take(end);
  return items;
}

function register(cursor: Cursor): string {
  cursor.take('$');
  return cursor.name();
}

function arrow(cursor: Cursor): string {
  cursor.take('->');
  return cursor.name();
}

/** `O_PATH|O_CLOEXEC`; `none` is the empty list. */
function flags(cursor: Cursor): { flags: string[] } {
  if (cursor.accept('none')) return { flags: [] };
  const names = [cursor.constant()];
  while (cursor.accept('|')) names.push(cursor.constant());
  return { flags: names };
}

/** `&buffer` or `&buffer+16`. */
function pointer(cursor: Cursor): { buf: string; at?: number } {
  cursor.take('&');
  const buf = cursor.name();
  return cursor.accept('+') ? { buf, at: cursor.integer() } : { buf };
}

/** The same for ops, of which the offset is no option. */
function place(cursor: Cursor): { buf: string; at: number } {
  return { at: 0, ...pointer(cursor) };
}

/** The number of bytes that `store4` or `load8` says. */
function size(keyword: string, op: 'store' | 'load'): 1 | 2 | 4 | 8 | undefined {
  return ([1, 2, 4, 8] as const).find((bytes) => keyword === op + bytes);
}
