// What `ls` and `ps` print: a table, a line of JSON each, or a template each; Docker's `--format`.

import { alignColumns } from './columns.ts';
import { printGo, toJson } from './go-value.ts';
import { compileTemplate } from './template.ts';
import type { TemplateFunction } from './template-functions.ts';

export interface List {
  /** As given with `--format`: `table`, `table TEMPLATE`, `json`, a template; undefined or empty is `table`. */
  format: string | undefined;
  /** Only the ids, one a line; it does not count where `format` is JSON or a template. */
  quiet: boolean;
  /** The default table: a column each, its head and its field. */
  table: readonly (readonly [head: string, field: string])[];
  /** The field that is printed with `quiet`. */
  id: string;
  /** Fields as they are shown, also such as are not in the table; functions are methods for templates. */
  rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * The list as it is printed, with a newline at its end unless it is empty.
 * @throws TinyrunError USAGE for a mistake in the template
 */
export function formatList({ format, quiet, table, id, rows }: List): string {
  const given = format?.trim() || 'table';
  const isTable = /^table(\s|$)/.test(given);
  if (isTable && quiet) return rows.map((row) => `${String(row[id])}\n`).join('');
  if (given === 'json') return rows.map((row) => `${jsonOf(row)}\n`).join('');
  if (given === 'table')
    return alignColumns([table.map(([head]) => head).join('\t'), ...rows.map(lineOf(table))]);
  const typed = isTable ? given.slice('table'.length).trim() : given;
  // In a shell's quotes nobody can write a tab: Docker takes these two for one, and for a newline.
  const template = typed.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  const render = compileTemplate(template);
  if (!isTable) return rows.map((row) => `${render(row)}\n`).join('');
  const head = compileTemplate(template, headFunctions)(headsOf(template, table));
  return alignColumns([head, ...rows.map(render)]);
}

/** A row of the default table: what `{{.Field}}`, for each column, gives in less time. */
const lineOf =
  (table: List['table']) =>
  (row: List['rows'][number]): string =>
    table.map(([, field]) => printGo(row[field])).join('\t');

/** The fields by name, as Docker's are; methods are no fields. */
function jsonOf(row: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(row).filter(([, value]) => typeof value !== 'function');
  return toJson(new Map(fields));
}

// The head of a table is its template filled in with the fields' heads.

/** These would change a head, or refuse it. */
const headFunctions: Readonly<Record<string, TemplateFunction>> = Object.fromEntries(
  ['json', 'join', 'split', 'title', 'lower', 'upper', 'pad', 'truncate'].map((name) => [
    name,
    (head) => head,
  ]),
);

/** A head for each field that a template names. */
function headsOf(template: string, table: List['table']): Map<string, unknown> {
  const names = [...template.matchAll(/\.([A-Z]\w*)/g)].map(([, name = '']) => name);
  return new Map<string, unknown>([
    ...names.map((name): [string, string] => [name, headOf(name)]),
    ...table.map(([head, field]): [string, string] => [field, head]),
    ['Label', (label: string) => label.slice(label.lastIndexOf('.') + 1).replace(/[-_]/g, ' ')],
  ]);
}

/** `CreatedAt` -> `CREATED AT` */
const headOf = (field: string): string => field.replace(/([a-z])([A-Z])/g, '$1 $2').toUpperCase();
