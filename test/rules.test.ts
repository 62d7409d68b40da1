// The house rules, run over all sources; each rule must also catch its bad sample.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeOf, findProblems, importsOf, rules, type SourceFile } from './support/rules.ts';

const top = join(import.meta.dir, '..');

const folders = 'src,native-bindings,test,scripts,bench,spec,rootfs-examples,.ci'.split(',');

/** Everything written by hand: neither what builds make nor what npm installs. */
function sources(): SourceFile[] {
  return ['*', ...folders.map((folder) => `${folder}/**/*`)]
    .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: top, dot: true })])
    .filter(
      (path) => !/^package-lock\.json$|^\.git$|^rootfs-examples\/[^/]+\/(rootfs|layers)\/|\.tmp$/.test(path),
    )
    .map((path) => ({ path, text: readFileSync(join(top, path), 'utf8') }));
}

test('the rules see the sources', () => {
  const paths = sources().map((file) => file.path);
  for (const path of [
    'package.json',
    'src/errors.ts',
    'native-bindings/init.c',
    'test/rules.test.ts',
    '.ci/run',
  ])
    assert.ok(paths.includes(path), path);
});

for (const rule of rules) {
  test(`${rule.name}`, () => {
    assert.equal(findProblems(rule, sources()), [], rule.message);
  });
  test(`${rule.name}: the bad sample is caught`, () => {
    assert.is.not(findProblems(rule, [rule.bad]).length, 0);
  });
}

test('imports are found in all their forms', () => {
  const text = `import a from 'a';\nimport type {\n  B,\n} from '../b.ts';\nexport * from "./c.ts";\nimport 'node:d';\nawait import('./e.ts');\n`;
  assert.equal(importsOf({ path: 'src/plan/x.ts', text }), [
    'a',
    'src/b.ts',
    'src/plan/c.ts',
    'node:d',
    'src/plan/e.ts',
  ]);
});

test('comments and strings are not code', () => {
  assert.is(codeOf('f(\'any\', "x"); // (any)\n/* any */ g();'), "f('', ''); \n g();");
});

test.run();
