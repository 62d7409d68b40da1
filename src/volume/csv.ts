// One line of comma-separated values -> its fields: the outer grammar of --mount, as Go's encoding/csv reads it
// (RFC 4180). A field that starts with a quote ends at the next one; inside, a doubled quote is a quote.

import { TinyrunError } from '../errors.ts';

/**
 * @example parseCsv('a,"b,c","d""e"') // ['a', 'b,c', 'd"e']
 * @throws TinyrunError USAGE, in the words of Go's reader, with the column of the offending quote (from 1)
 */
export function parseCsv(text: string): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
    fields.push(field.value);
    at = field.end + 1; // past the comma
  }
  return fields;
}

function plainField(text: string, start: number): { value: string; end: number } {
  const comma = text.indexOf(',', start);
  const end = comma < 0 ? text.length : comma;
  const value = text.slice(start, end);
  const quote = value.indexOf('"');
  if (quote >= 0) throw csvError(start + quote, 'bare " in non-quoted field');
  return { value, end };
}

function quotedField(text: string, start: number): { value: string; end: number } {
  let value = '';
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw csvError(text.length, 'extraneous or missing " in quoted-field');
    value += text.slice(at, quote);
    const next = text[quote + 1];
    if (next === undefined || next === ',') return { value, end: quote + 1 };
    if (next !== '"') throw csvError(quote, 'extraneous or missing " in quoted-field');
    value += '"';
    at = quote + 2;
  }
}

function csvError(index: number, problem: string): TinyrunError {
  return new TinyrunError('USAGE', `parse error on line 1, column ${index + 1}: ${problem}`);
}
