import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Mount } from '../../src/oci/config.ts';
import { listMounts } from '../../src/plan/mount-list.ts';
import { planTarget } from '../../src/plan/mount-point.ts';
import { type Place, Places } from '../../src/plan/place.ts';
import { minimalConfig, planInput, textsOf } from '../support/plan-input.ts';

/** What is known of places after some mounts; the rootfs itself has `proc`, `d` and `d/e`. */
function placesAfter(mounts: Mount[]): Places {
  const config = minimalConfig((config) => {
    config.mounts = mounts;
  });
  const places = new Places(new Set(['proc', 'd', 'd/e']));
  for (const mount of listMounts(planInput({ config }))) places.mounted(mount);
  return places;
}

const tmpfs = (destination: string, ...options: string[]): Mount => ({ destination, type: 'tmpfs', options });
const proc = (destination: string): Mount => ({ destination, type: 'proc' });
const bind = (destination: string): Mount => ({ destination, source: '/x', options: ['bind'] });
const other = (destination: string): Mount => ({ destination, type: 'devpts' });
const trusted = (index: number, path: string, type: 'tmpfs' | 'kernel'): Place => ({
  known: 'trusted',
  reg: `tree-${index}`,
  path,
  type,
});
const UNKNOWN: Place = { known: 'unknown' };

const rows: [string, Mount[], string, Place][] = [
  ['nothing is mounted, and nothing there', [], 'x', UNKNOWN],
  ['it is in the rootfs', [], 'd/e', { known: 'present' }],
  ['inside of a tmpfs', [tmpfs('/t')], 't/a/b', trusted(0, 'a/b', 'tmpfs')],
  ['inside of proc', [proc('/proc')], 'proc/kcore', trusted(0, 'kcore', 'kernel')],
  ['inside of sysfs', [{ destination: '/s', type: 'sysfs' }], 's/a', trusted(0, 'a', 'kernel')],
  ['the place of a mount itself is in its parent', [tmpfs('/t'), other('/t/a')], 't/a', UNKNOWN],
  ['a name that only begins like a mount', [tmpfs('/t')], 'tt/a', UNKNOWN],
  ['the nearest mount counts', [tmpfs('/t'), proc('/t/p')], 't/p/x', trusted(1, 'x', 'kernel')],
  ['beside the nearest mount', [tmpfs('/t'), proc('/t/p')], 't/q', trusted(0, 'q', 'tmpfs')],
  ['below a bind nobody knows', [bind('/d')], 'd/e', UNKNOWN],
  ['on a bind nobody knows', [bind('/d')], 'd', UNKNOWN],
  ['a bind inside of a tmpfs', [tmpfs('/t'), bind('/t/b')], 't/b/c', UNKNOWN],
  ['beside a bind in a tmpfs', [tmpfs('/t'), bind('/t/b')], 't/c', trusted(0, 'c', 'tmpfs')],
  ['a bind over a tmpfs', [tmpfs('/t'), bind('/t')], 't/a', UNKNOWN],
  ['a bind over the parent of a tmpfs', [tmpfs('/d/t'), bind('/d')], 'd/t/a', UNKNOWN],
  ['a tmpfs over the parent of a tmpfs', [tmpfs('/d/t'), tmpfs('/d')], 'd/t/a', trusted(1, 't/a', 'tmpfs')],
  ['a tmpfs over a bind', [bind('/t'), tmpfs('/t')], 't/a', trusted(1, 'a', 'tmpfs')],
  ['another filesystem has contents of its own', [other('/t')], 't/a', UNKNOWN],
  [
    'a mount at an unknown place may lie on proc by a symlink',
    [proc('/proc'), bind('/l/x')],
    'proc/kcore',
    UNKNOWN,
  ],
  [
    'a mount at a known place lies there',
    [proc('/proc'), bind('/d')],
    'proc/kcore',
    trusted(0, 'kcore', 'kernel'),
  ],
  ['a tmpfs that is filled from the image has, too', [tmpfs('/d', 'tmpcopyup')], 'd/e', UNKNOWN],
];

for (const [name, mounts, path, expected] of rows)
  test(`Places.find: ${name}`, () => {
    assert.equal(placesAfter(mounts).find(path), expected);
  });

const target = (place: Place, path: string, kind: 'directory' | 'file') => {
  const { ops, dir, path: at, close } = planTarget(place, path, kind, 'u', 'runtime');
  return { ops: textsOf(ops), dir, at, close: textsOf(close) };
};
const openat2 = (path: string, how: string, more = '') =>
  `$target = openat2($root, "${path}", open_how{flags: ${how}|O_CLOEXEC, resolve: RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS${more}}, 24)`;

test('planTarget: what is present is opened once, and through no symlink', () => {
  assert.equal(target({ known: 'present' }, 'd/e', 'directory'), {
    ops: [openat2('d/e', 'O_PATH|O_DIRECTORY', '|RESOLVE_NO_SYMLINKS')],
    dir: { reg: 'target' },
    at: '',
    close: ['close($target)'],
  });
});

test('planTarget: what is unknown is made where it is missing', () => {
  assert.equal(target(UNKNOWN, 'f', 'file').ops, [
    `${openat2('f', 'O_PATH')}  goto ENOENT -> make-u`,
    'jump have-u',
    'make-u:',
    'mknodat($root, "f", 0100755, 0)  ignore EEXIST',
    openat2('f', 'O_PATH'),
    'have-u:',
  ]);
});

test('planTarget: in a filesystem of our own no path is resolved', () => {
  assert.equal(target(trusted(3, 'a/b', 'kernel'), 's/a/b', 'directory'), {
    ops: [],
    dir: { reg: 'tree-3' },
    at: 'a/b',
    close: [],
  });
  assert.equal(target(trusted(3, 'a', 'tmpfs'), 't/a', 'file'), {
    ops: ['mknodat($tree-3, "a", 0100755, 0)  ignore EEXIST'],
    dir: { reg: 'tree-3' },
    at: 'a',
    close: [],
  });
  assert.is(
    target(trusted(3, 'a/b', 'tmpfs'), 't/a/b', 'file').ops[0],
    `${openat2('t/a/b', 'O_PATH')}  goto ENOENT -> make-u`,
  );
});

test('hundreds of filesystems of our own do not take a register each', () => {
  const names = Array.from({ length: 300 }, (_, i) => `t/m${i}`); // in a tmpfs: else nothing is known of their way
  const places = placesAfter([tmpfs('/t'), ...names.map((name) => tmpfs(`/${name}`))]);
  const known = names.map((name) => places.find(`${name}/x`).known);
  assert.is(known[0], 'trusted');
  assert.is(known[299], 'unknown');
  assert.ok(known.filter((name) => name === 'trusted').length <= 64);
});

test.run();
