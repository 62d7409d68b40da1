// What every `inspect` prints: an array of JSON, indented or in one line, or a template each.

import { toJson } from './go-value.ts';
import { compileTemplate } from './template.ts';

/**
 * The values as they are printed.
 * @param format as given with `--format`: `json`, the array in one line; a template; undefined or empty, the array indented by 4
 * @throws TinyrunError USAGE for a mistake in the template
 */
export function formatInspect(format: string | undefined, values: readonly unknown[]): string {
  if (!format) return `${toJson(values, 4)}\n`;
  if (format === 'json') return `${toJson(values)}\n`;
  const render = compileTemplate(format);
  // Docker prints a line even if nothing was found.
  return values.map((value) => `${render(value)}\n`).join('') || '\n';
}

/** The same of one value that is no list: `json` is an object in one line. */
export function formatOne(format: string, value: unknown): string {
  const render = format === 'json' ? toJson : compileTemplate(format);
  return `${render(value)}\n`;
}
