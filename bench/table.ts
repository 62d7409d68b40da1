// Figures -> Markdown tables, aligned, so that they can be read on a terminal as well.

/** Columns are as wide as their longest cell; all but the first are flush right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => pad(cell, widths[i]!, i)).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return `${[line(head), line(rule), ...rows.map(line)].join('\n')}\n`;
}

const pad = (cell: string, width: number, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width);

/** `9.1`, `0.35`: as many decimals as a noisy machine can tell. */
export const milliseconds = (value: number): string => value.toFixed(value < 1 ? 2 : 1);

/** `≤ 1.5: met`. */
export const target = (value: number, most: number, unit = ''): string =>
  `≤ ${most}${unit}: ${value <= most ? 'met' : 'missed'}`;
