import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cleanInside } from '../../src/plan/clean-inside.ts';
import { planMountPoint } from '../../src/plan/mount-point.ts';
import { textsOf } from '../support/plan-input.ts';

test('cleanInside: a path below the root, without a way out of it', () => {
  const rows = {
    '/': '',
    '': '',
    '/a': 'a',
    'a/b/': 'a/b',
    '//a///b': 'a/b',
    '/./a/.': 'a',
    '/a/../b': 'b',
    '/..': '',
    '/../../a': 'a',
    '/a/b/../../../c': 'c',
    '/...': '...',
    '/a /\n': 'a /\n',
  };
  for (const [path, expected] of Object.entries(rows)) assert.is(cleanInside(path), expected, path);
});

test('planMountPoint: only the last part is a file', () => {
  const made = textsOf(planMountPoint('a/b/c', 'file', 'here', 'u', 'runtime')).filter((text) =>
    /^mk/.test(text),
  );
  assert.equal(made, [
    'mkdirat($root, "a", 0755)  ignore EEXIST',
    'mkdirat($parent, "b", 0755)  ignore EEXIST',
    'mknodat($parent, "c", 0100755, 0)  ignore EEXIST',
  ]);
});

test('planMountPoint: every parent is opened inside the root, by its whole path', () => {
  const opened = textsOf(planMountPoint('a/b/c', 'directory', 'here', 'u', 'runtime')).filter((text) =>
    /openat2/.test(text),
  );
  assert.equal(
    opened.map((text) => text.split(',').slice(0, 2).join(',')),
    [
      '$here = openat2($root, "a/b/c"',
      '$parent = openat2($root, "a"',
      '$parent = openat2($root, "a/b"',
      '$here = openat2($root, "a/b/c"',
    ],
  );
  for (const text of opened) assert.match(text, 'resolve: RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS');
});

test.run();
