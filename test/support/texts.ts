// Tables of messages: each row a call, its exit code, and all that it says.

import * as assert from 'uvu/assert';
import type { Result } from './bundle.ts';

/**
 * `call` is what is typed behind `tinyrun`; a word in quotes may be empty or have blanks. `says` is the message without the
 * `tinyrun: ` in front, of several lines each. $T is the test's own directory, ID an id of 64 digits.
 */
export type TextRow = readonly [call: string, code: number, says: string];

/**
 * Makes the calls, in their order, and compares.
 * @param top what $T stands for
 * @throws AssertionError that shows all rows that differ
 */
export function checkTexts(
  rows: readonly TextRow[],
  top: string,
  run: (words: readonly string[]) => Result,
): void {
  const got = rows.map(([call]): TextRow => {
    const { stdout, stderr, code } = run(wordsOf(call).map((word) => word.replaceAll('$T', top)));
    return [call, code, shown(stdout + stderr, top)];
  });
  const isWrong = (_: TextRow, i: number): boolean => got[i]!.join('\n') !== rows[i]!.join('\n');
  assert.equal(got.filter(isWrong), rows.filter(isWrong));
}

const wordsOf = (call: string): string[] =>
  [...call.matchAll(/'([^']*)'|[^\s']+/g)].map(([word, quoted]) => quoted ?? word);

const shown = (text: string, top: string): string =>
  text
    .trimEnd()
    .replaceAll(top, '$T')
    .replaceAll(/[0-9a-f]{64}/g, 'ID')
    .replaceAll(/^tinyrun: /gm, '');
