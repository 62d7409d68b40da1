// spec/conformance.md against the sources: every field has a row, and what a row names is there.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configFields } from './config-fields.ts';
import { isTitle, namedTests } from './named-tests.ts';

const top = join(import.meta.dir, '../..');
const read = (path: string): string => readFileSync(join(top, path), 'utf8');

interface Row {
  /** As the cell has them, braces expanded. */
  fields: string[];
  status: string;
  module: string;
  test: string;
}

/** The rows of all tables whose first cell is a field in backquotes, or several. */
function rowsOf(page: string): Row[] {
  return page.split('\n').flatMap((line) => {
    const [, first = '', status = '', module = '', named] = line.split('|').map((cell) => cell.trim());
    const field = /^`([^`]+)`$/.exec(first)?.[1];
    return field === undefined || named === undefined
      ? []
      : [{ fields: expandBraces(field), status, module, test: named }];
  });
}

/** `a.{b,c}` -> `a.b`, `a.c`. */
function expandBraces(text: string): string[] {
  const braces = /\{([^{}]*)\}/.exec(text);
  if (braces === null) return [text];
  return braces[1]!.split(',').flatMap((part) => expandBraces(text.replace(braces[0], part)));
}

const page = read('spec/conformance.md');
const rows = rowsOf(page);

test('every field of config.ts has a row, and one only', () => {
  const listed = rows.flatMap(({ fields }) => fields);
  assert.equal(
    listed.filter((field, i) => listed.indexOf(field) !== i),
    [],
    'listed twice',
  );
  const fields = configFields(read('src/oci/config.ts'));
  assert.ok(fields.includes('linux.namespaces[].path') && fields.includes('process.consoleSize.height'));
  assert.equal(
    fields.filter((field) => !listed.includes(field)),
    [],
    'without a row in spec/conformance.md',
  );
});

test('fields that config.ts does not have are refused or ignored', () => {
  const fields = configFields(read('src/oci/config.ts'));
  const known = (field: string) => fields.some((other) => other === field || other.startsWith(`${field}.`));
  const odd = rows.filter(({ fields }) => !fields.every(known));
  assert.equal([...new Set(odd.map(({ status }) => status))].sort(), ['ignored', 'refused']);
});

test('each row has one of the three statuses, and all three are in use', () => {
  const statuses = [...new Set(rows.map(({ status }) => status))].sort();
  assert.equal(statuses, ['done', 'ignored', 'refused']);
});

test('every field that is done or refused names a test, and every test and its title are there', () => {
  for (const { fields, test: cell } of rows) {
    const [named] = namedTests(cell);
    assert.ok(named, `${fields[0]}: no test in \`${cell}\``);
    assert.ok(existsSync(join(top, 'test', named.file)), `${fields[0]}: no file test/${named.file}`);
    assert.ok(
      isTitle(named.title, read(`test/${named.file}`)),
      `${fields[0]}: no "${named.title}" in test/${named.file}`,
    );
  }
});

test('every test that the page names with its title is there, also where the row is of no field', () => {
  const named = namedTests(page);
  assert.ok(named.length > rows.length);
  for (const { file, title } of named)
    assert.ok(isTitle(title, read(`test/${file}`)), `no "${title}" in test/${file}`);
});

test('every module is there', () => {
  for (const { fields, status, module } of rows) {
    if (status === 'ignored') continue;
    const path = /^`([^`]+)`$/.exec(module)?.[1];
    assert.ok(path !== undefined && existsSync(join(top, 'src', path)), `${fields[0]}: no module ${module}`);
  }
});

test('braces are expanded wherever they stand', () => {
  assert.equal(expandBraces('{a,b}[].{c,d}'), ['a[].c', 'a[].d', 'b[].c', 'b[].d']);
});

test.run();
