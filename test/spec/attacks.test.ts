// spec/attacks.md against the tests: what a row names is there, and what has a CVE for a name has a row.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isTitle, namedTests } from './named-tests.ts';

const top = join(import.meta.dir, '../..');
const read = (path: string): string => readFileSync(join(top, path), 'utf8');
const page = read('spec/attacks.md');

test('every test that is named is there', () => {
  const named = namedTests(page);
  assert.ok(named.length > 50);
  for (const { file, title } of named)
    assert.ok(isTitle(title, read(`test/${file}`)), `no "${title}" in test/${file}`);
});

test('every row of an attack names a test', () => {
  const rows = page.split('\n## What there is nothing of')[0]!.split('\n');
  for (const row of rows.filter((line) => /^\| .*(CVE|GHSA)-/.test(line)))
    assert.ok(namedTests(row).length > 0, row);
});

test('every CVE of the title of a test has a row', () => {
  const files = readdirSync(join(top, 'test'), { recursive: true, encoding: 'utf8' });
  const titles = files
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((file) => read(`test/${file}`).match(/^ *\w*[tT]est\(\s*['"`].*CVE-\d.*$/gm) ?? []);
  assert.ok(titles.length > 10);
  for (const title of titles)
    for (const [id] of title.matchAll(/CVE-\d+-\d+/g)) assert.ok(page.includes(id), title);
});

test('titles are found whole only', () => {
  assert.ok(isTitle("it's", "test('it\\'s', () => {});"));
  assert.ok(isTitle('RLIM', '  RLIM: rlimit({}),'));
  assert.not.ok(isTitle('half', "test('half of it', () => {});"));
});

test.run();
