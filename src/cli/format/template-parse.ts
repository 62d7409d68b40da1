// Go's text/template, parsed: the grammar of its documentation without `define`, `template` and `block`, which a
// template in a command line has no use for.

import { type Piece, splitTemplate, syntaxError, type Token } from './template-lexer.ts';

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'print'; pipe: Pipe }
  | Block
  | { kind: 'break' }
  | { kind: 'continue' };

export interface Block {
  kind: 'if' | 'with' | 'range';
  pipe: Pipe;
  body: Node[];
  otherwise: Node[];
}

/** `$a, $b := COMMAND | COMMAND`: each command's result is the last argument of the next. */
export interface Pipe {
  variables: readonly string[];
  /** `:=` makes the variables, `=` changes them. */
  declares: boolean;
  commands: readonly Command[];
}

/** The first operand is called with the others, if it is a function or a method. */
export type Command = readonly [Operand, ...Operand[]];

export interface Operand {
  base:
    | { kind: 'dot' }
    | { kind: 'literal'; value: string | number | boolean | null }
    | { kind: 'variable' | 'function'; name: string }
    | { kind: 'pipe'; pipe: Pipe };
  /** The fields that are looked up in it, one in the other. */
  fields: readonly string[];
  /** Column, and how it is written: for messages. */
  at: number;
}

/**
 * Parses a template.
 * @throws TinyrunError USAGE, in Go's words
 */
export function parseTemplate(template: string): Node[] {
  const reader = { pieces: splitTemplate(template), next: 0 };
  const { nodes, end } = parseNodes(reader, []);
  if (end !== undefined) throw syntaxError(`unexpected {{${end.word}}}`);
  return nodes;
}

interface Reader {
  pieces: Piece[];
  next: number;
}

/** What ended a list of nodes; `rest` is what stands behind `else`. */
type End = { word: string; rest: readonly Token[] } | undefined;

/** Reads up to `{{end}}` or `{{else}}`, or to the template's end. */
function parseNodes(reader: Reader, within: readonly string[]): { nodes: Node[]; end: End } {
  const nodes: Node[] = [];
  while (reader.next < reader.pieces.length) {
    const piece = reader.pieces[reader.next++]!;
    if (piece.kind === 'text') {
      nodes.push(piece);
      continue;
    }
    const [first, ...rest] = piece.tokens;
    if (first === undefined) throw syntaxError('missing value for command');
    const word = first.kind === 'name' ? first.text : '';
    if (word === 'end' || word === 'else') return { nodes, end: { word, rest } };
    if (word === 'if' || word === 'with' || word === 'range')
      nodes.push(parseBlock(reader, word, rest, within));
    else if (word === 'break' || word === 'continue') {
      if (!within.includes('range')) throw syntaxError(`{{${word}}} outside {{range}}`);
      nodes.push({ kind: word });
    } else if (['define', 'template', 'block'].includes(word))
      throw syntaxError(`{{${word}}} is not supported`);
    else nodes.push({ kind: 'print', pipe: parseWhole(piece.tokens, 'command') });
  }
  if (within.length > 0) throw syntaxError('unexpected EOF');
  return { nodes, end: undefined };
}

/** `{{if}}`, `{{with}}` or `{{range}}` up to its end; `{{else if}}` is a block within the other branch. */
function parseBlock(
  reader: Reader,
  kind: Block['kind'],
  condition: Token[],
  outer: readonly string[],
): Block {
  const within = [...outer, kind];
  const pipe = parseWhole(condition, kind);
  const { nodes: body, end } = parseNodes(reader, within);
  if (end?.word !== 'else') return { kind, pipe, body, otherwise: [] };
  const [next, ...rest] = end.rest;
  if (next !== undefined) {
    if (next.kind !== 'name' || next.text !== kind || kind === 'range')
      throw syntaxError(`unexpected ${next.text} in else`);
    return { kind, pipe, body, otherwise: [parseBlock(reader, kind, rest, outer)] };
  }
  const last = parseNodes(reader, within);
  if (last.end?.word !== 'end') throw syntaxError('expected end; found {{else}}');
  return { kind, pipe, body, otherwise: last.nodes };
}

interface Cursor {
  tokens: readonly Token[];
  next: number;
}

/** All tokens are one pipeline. */
function parseWhole(tokens: readonly Token[], context: string): Pipe {
  const cursor = { tokens, next: 0 };
  const pipe = parsePipe(cursor, context);
  const left = tokens[cursor.next];
  if (left !== undefined) throw syntaxError(`unexpected ${JSON.stringify(left.text)} in ${context}`);
  return pipe;
}

const isSymbol = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'symbol' && token.text === text;

function parsePipe(cursor: Cursor, context: string): Pipe {
  const { variables, declares } = parseVariables(cursor);
  const commands = [parseCommand(cursor, context)];
  while (isSymbol(cursor.tokens[cursor.next], '|')) {
    cursor.next += 1;
    commands.push(parseCommand(cursor, context));
  }
  return { variables, declares, commands };
}

/** `$x :=`, `$index, $element :=`, `$x =`; none of these is fine. */
function parseVariables(cursor: Cursor): Pick<Pipe, 'variables' | 'declares'> {
  const [first, second, third, fourth] = cursor.tokens.slice(cursor.next);
  if (first?.kind !== 'variable') return { variables: [], declares: false };
  const isTwo = isSymbol(second, ',') && third?.kind === 'variable';
  const operator = isTwo ? fourth : second;
  const declares = isSymbol(operator, ':=');
  if (!declares && !isSymbol(operator, '=')) return { variables: [], declares: false };
  cursor.next += isTwo ? 4 : 2;
  return { variables: isTwo ? [first.text, third.text] : [first.text], declares };
}

function parseCommand(cursor: Cursor, context: string): Command {
  const operands: Operand[] = [];
  for (;;) {
    const token = cursor.tokens[cursor.next];
    if (token === undefined || (token.kind === 'symbol' && token.text !== '(')) break;
    operands.push(parseOperand(cursor, token));
  }
  const [first, ...rest] = operands;
  if (first === undefined) throw syntaxError(`missing value for ${context}`);
  return [first, ...rest];
}

function parseOperand(cursor: Cursor, token: Token): Operand {
  cursor.next += 1;
  const base = parseBase(cursor, token);
  const fields = token.kind === 'field' ? [token.text] : [];
  for (;;) {
    const next = cursor.tokens[cursor.next];
    if (next?.kind !== 'field' || !next.touches) return { base, fields, at: token.at };
    fields.push(next.text);
    cursor.next += 1;
  }
}

const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, nil: null };

function parseBase(cursor: Cursor, { kind, text }: Token): Operand['base'] {
  if (kind === 'field' || kind === 'dot') return { kind: 'dot' };
  if (kind === 'variable') return { kind, name: text };
  if (kind === 'string') return { kind: 'literal', value: text };
  if (kind === 'number') return { kind: 'literal', value: Number(text.replaceAll('_', '')) };
  if (kind === 'name')
    return Object.hasOwn(LITERALS, text)
      ? { kind: 'literal', value: LITERALS[text]! }
      : { kind: 'function', name: text };
  const pipe = parsePipe(cursor, 'parenthesized pipeline');
  if (!isSymbol(cursor.tokens[cursor.next], ')')) throw syntaxError('unclosed left paren');
  cursor.next += 1;
  return { kind: 'pipe', pipe };
}
