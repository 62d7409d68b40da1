// The words of Go's text/template: a template is text with actions in `{{ }}`, an action is a list of tokens. A field
// that touches what stands before it (`$x.Name`, `(index .Mounts 0).Name`) belongs to it, one behind a space is a word of
// its own; so a token knows whether it touches the one before.

import { TinyrunError } from '../../errors.ts';

export interface Token {
  kind: 'field' | 'dot' | 'variable' | 'name' | 'string' | 'number' | 'symbol';
  /** As it is written; of a field without its dot, of a string what it means. */
  text: string;
  /** Whether no space is before it. */
  touches: boolean;
  /** Its column in the template, from 0. */
  at: number;
}

export type Piece = { kind: 'text'; text: string } | { kind: 'action'; tokens: Token[]; at: number };

/** What a template's author did wrong, in Docker's words and with Docker's exit code. */
export const syntaxError = (message: string): TinyrunError =>
  new TinyrunError('USAGE', `template parsing error: template: :1: ${message}`, { exit: 64 });

/**
 * Splits a template into text and actions. `{{-` and `-}}` take the spaces beside them away; comments give nothing.
 * @throws TinyrunError USAGE
 */
export function splitTemplate(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trim = false;
  for (;;) {
    const open = template.indexOf('{{', at);
    const text = template.slice(at, open < 0 ? undefined : open);
    const trimsBefore = open >= 0 && /^-\s/.test(template.slice(open + 2, open + 4));
    const shown = trimsBefore ? text.trimEnd() : text;
    pieces.push({ kind: 'text', text: trim ? shown.trimStart() : shown });
    if (open < 0) return pieces.filter((piece) => piece.kind === 'action' || piece.text !== '');
    const start = open + (trimsBefore ? 3 : 2);
    const comment = /^\s*\/\*[\s\S]*?\*\/(\s-)?\}\}/.exec(template.slice(start));
    if (comment !== null) {
      at = start + comment[0].length;
      trim = comment[1] !== undefined;
      continue;
    }
    const action = readAction(template, start);
    pieces.push({ kind: 'action', tokens: action.tokens, at: start });
    ({ end: at, trim } = action);
  }
}

const WORDS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['number', /[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['name', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['string', /"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+'/y],
  ['symbol', /:=|[=|(),]/y],
];

function readAction(template: string, start: number): { tokens: Token[]; end: number; trim: boolean } {
  const tokens: Token[] = [];
  for (let at = start; ; ) {
    const space = /\s*/y;
    space.lastIndex = at;
    const skipped = space.exec(template)![0].length;
    at += skipped;
    const trim = skipped > 0 && template.startsWith('-}}', at);
    if (trim || template.startsWith('}}', at)) return { tokens, end: at + (trim ? 3 : 2), trim };
    const token = readToken(template, at);
    tokens.push({ ...token, touches: skipped === 0 && at > start, at });
    at += token.length;
  }
}

function readToken(template: string, at: number): Pick<Token, 'kind' | 'text'> & { length: number } {
  for (const [kind, pattern] of WORDS) {
    pattern.lastIndex = at;
    const found = pattern.exec(template)?.[0];
    if (found === undefined) continue;
    if (kind === 'string') return { ...quoted(found), length: found.length };
    return { kind, text: kind === 'field' ? found.slice(1) : found, length: found.length };
  }
  if (at >= template.length) throw syntaxError('unclosed action');
  const character = template[at]!;
  if (character === '"') throw syntaxError('unterminated quoted string');
  if (character === '`') throw syntaxError('unterminated raw quoted string');
  if (character === '}') throw syntaxError('unexpected "}" in operand');
  throw syntaxError(`unexpected ${JSON.stringify(character)} in operand`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"' },
};

/** What a literal means: `'c'` is a number, the code point, as in Go. */
function quoted(literal: string): Pick<Token, 'kind' | 'text'> {
  const inner = literal.slice(1, -1);
  if (literal[0] === '`') return { kind: 'string', text: inner };
  const escaped = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gu;
  const text = inner.replace(escaped, (_, x, u, U, octal, letter) => {
    const hex = x ?? u ?? U;
    const code = hex === undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex, 16);
    const meant = letter === undefined && code <= 0x10ffff ? String.fromCodePoint(code) : ESCAPES[letter];
    if (meant === undefined) throw syntaxError(`invalid syntax: ${literal}`);
    return meant;
  });
  return literal[0] === "'" ? { kind: 'number', text: `${text.codePointAt(0)}` } : { kind: 'string', text };
}
