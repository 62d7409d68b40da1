// Lines of cells -> a table, as Docker aligns it. Apart from list.ts, which takes templates: a plain list does without.

import { printable } from '../../errors.ts';

const NARROWEST = 10; // Docker's tabwriter: cells of at least 10, with 3 spaces behind the longest
const GAP = 3;

/**
 * Lines as a table, each with a newline at its end.
 * @param lines cells separated by tabs; the last one of a line is as long as it is
 */
export function alignColumns(lines: readonly string[]): string {
  // Nearly always: then no cell need be looked at for itself, and there may be thousands.
  const isPlain = PLAIN.test(lines.join('\t'));
  const widthOf = isPlain ? (cell: string): number => cell.length : characters;
  const table = lines.map((line) =>
    isPlain ? line.split('\t') : line.split('\t').map((cell) => printable(cell)),
  );
  const widths: number[] = [];
  for (const row of table)
    for (let column = 0; column < row.length - 1; column++)
      widths[column] = Math.max(widths[column] ?? NARROWEST, widthOf(row[column]!) + GAP);
  let text = '';
  for (const row of table) {
    for (let column = 0; column < row.length - 1; column++)
      text += row[column]! + ' '.repeat(widths[column]! - widthOf(row[column]!));
    text += `${row.at(-1) ?? ''}\n`;
  }
  return text;
}

/**
 * Lines of two cells, where those of the first column are few different ones: the same table, in a third of the time. The second
 * cells are printed as they are.
 */
export function alignPairs(pairs: readonly (readonly [first: string, second: string])[]): string {
  const cells = [...new Set(pairs.map(([first]) => first))].map((cell) => [cell, printable(cell)] as const);
  const width = Math.max(NARROWEST, ...cells.map(([, shown]) => characters(shown) + GAP));
  const padded = new Map(cells.map(([cell, shown]) => [cell, shown + ' '.repeat(width - characters(shown))]));
  return pairs.map(([first, second]) => `${padded.get(first)}${second}\n`).join('');
}

/** ASCII without control characters. */
const PLAIN = /^[\t -~]*$/;

/** Not UTF-16's units. */
const characters = (cell: string): number => [...cell].length;
