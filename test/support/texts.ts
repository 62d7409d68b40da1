// Pages of messages (test/texts/*.txt), each of its paragraphs a table: what is typed, the exit code, and all that is said.
//
//   # what the paragraph is about
//   $ run -v rel/x:/d bb
//   125 create rel/x: ...
//
// A call is what stands behind `tinyrun`; a word in quotes may be empty or have blanks. Of messages the `tinyrun: ` in front is left
// out. $T is the test's own directory, ID an id of 64 digits, SHORT one of 12.

import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Result } from './bundle.ts';

export interface TextTable {
  about: string;
  rows: { call: string; answer: string }[];
}

/** The tables of a page. */
export const readTexts = (path: string): TextTable[] =>
  readFileSync(path, 'utf8')
    .split(/^# /m)
    .slice(1)
    .map((paragraph) => {
      const [about = '', ...rows] = paragraph.trimEnd().split(/\n\$ /);
      return { about, rows: rows.map(toRow) };
    });

function toRow(text: string): TextTable['rows'][number] {
  const [call = '', ...answer] = text.trimEnd().split('\n');
  return { call, answer: answer.join('\n') };
}

/**
 * Makes the calls of a table, in their order.
 * @param top what $T stands for
 * @throws AssertionError that shows the rows that differ
 */
export function checkTexts(
  { rows }: TextTable,
  top: string,
  run: (words: readonly string[]) => Result,
): void {
  const got = rows.map(({ call }) => ({ call, answer: shown(run(wordsOf(call, top)), top) }));
  const differs = (_: unknown, i: number): boolean => got[i]!.answer !== rows[i]!.answer;
  assert.equal(got.filter(differs), rows.filter(differs));
}

const wordsOf = (call: string, top: string): string[] =>
  [...call.matchAll(/'([^']*)'|[^\s']+/g)].map(([word, quoted]) => (quoted ?? word).replaceAll('$T', top));

const shown = ({ stdout, stderr, code }: Result, top: string): string =>
  `${code} ${stdout}${stderr}`
    .replaceAll(top, '$T')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{12}\b/g, 'SHORT')
    .replaceAll(/^(\d+ )?tinyrun: /gm, '$1')
    .trimEnd();
