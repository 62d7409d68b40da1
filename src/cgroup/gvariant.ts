// The part of GVariant's text format that properties of units are written in: strings, booleans, numbers, arrays of them.
// GLib, "GVariant Text Format".

/** A D-Bus value with its type. */
export interface Variant {
  /** D-Bus specification, "Type System": `t`, `s`, `as`, ... */
  signature: string;
  value: unknown;
}

/** Keywords of types, and what D-Bus calls them. */
const TYPES: Readonly<Record<string, string>> = {
  boolean: 'b',
  byte: 'y',
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  handle: 'h',
  int64: 'x',
  uint64: 't',
  double: 'd',
  string: 's',
  objectpath: 'o',
  signature: 'g',
};
const INTEGERS = 'ynqiuxth';
const TOKEN = /\s*(?:('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(@?[\w.+-]+)|([[\],]))/y;

/** Reads a value; undefined where the text is none. */
export function parseVariant(text: string): Variant | undefined {
  const tokens = tokenize(text);
  if (tokens === undefined) return undefined;
  const found = readValue(tokens, undefined);
  return tokens.length === 0 ? found : undefined;
}

function tokenize(text: string): string[] | undefined {
  const tokens: string[] = [];
  const trimmed = text.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const match = TOKEN.exec(trimmed);
    if (match === null) return undefined;
    tokens.push(match[1] ?? match[2] ?? match[3] ?? '');
  }
  return tokens;
}

function readValue(tokens: string[], type: string | undefined): Variant | undefined {
  const token = tokens.shift();
  if (token === undefined) return undefined;
  const keyword = TYPES[token] ?? (token.startsWith('@') ? token.slice(1) : undefined);
  if (keyword !== undefined) return type === undefined ? readValue(tokens, keyword) : undefined;
  if (token === '[') return readArray(tokens, type?.startsWith('a') ? type.slice(1) : undefined);
  return readPlain(token, type);
}

function readArray(tokens: string[], type: string | undefined): Variant | undefined {
  const values: Variant[] = [];
  if (tokens[0] === ']') {
    tokens.shift();
    return type === undefined ? undefined : { signature: `a${type}`, value: [] };
  }
  for (;;) {
    const item = readValue(tokens, type ?? values[0]?.signature);
    const next = tokens.shift();
    if (item === undefined || (next !== ',' && next !== ']')) return undefined;
    values.push(item);
    if (next === ']') return { signature: `a${item.signature}`, value: values.map(({ value }) => value) };
  }
}

function readPlain(token: string, type: string | undefined): Variant | undefined {
  if (/^['"]/.test(token)) {
    if (type !== undefined && !'sog'.includes(type)) return undefined;
    const value = token.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
    return { signature: type ?? 's', value };
  }
  if (token === 'true' || token === 'false')
    return type === undefined || type === 'b' ? { signature: 'b', value: token === 'true' } : undefined;
  const isInteger = /^[+-]?(\d+|0x[\da-f]+)$/i.test(token);
  const signature = type ?? (isInteger ? 'i' : 'd');
  if (signature === 'd') return Number.isNaN(Number(token)) ? undefined : { signature, value: Number(token) };
  if (!isInteger || !INTEGERS.includes(signature)) return undefined;
  const magnitude = BigInt(token.replace(/^[+-]/, ''));
  const value = token.startsWith('-') ? -magnitude : magnitude;
  return { signature, value: 'xt'.includes(signature) ? value : Number(value) };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
