import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { escapePath, overlayMount, parseLayersAnnotation } from '../../src/plan/overlay.ts';

function errorOf(run: () => unknown): TinyrunError {
  try {
    run();
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const rootfs = (layers: string[], top = '/c') => ({
  layers,
  upper: `${top}/upper`,
  work: `${top}/work`,
  merged: '/m',
});
const OPTIONS = [
  { as: 'string', key: 'redirect_dir', value: 'nofollow' },
  { as: 'string', key: 'metacopy', value: 'off' },
  { as: 'string', key: 'index', value: 'off' },
];
const string = (key: string, value: string) => ({ as: 'string', key, value });

test('parseLayersAnnotation: relative to the bundle, lowest first', () => {
  const rows: [string, string[]][] = [
    ['base', ['/b/base']],
    ['base:app', ['/b/base', '/b/app']],
    ['/srv/base:layers/app', ['/srv/base', '/b/layers/app']],
    ['a b:../c', ['/b/a b', '/b/../c']],
  ];
  for (const [value, layers] of rows) assert.equal(parseLayersAnnotation(value, '/b'), layers);
});

test('parseLayersAnnotation: an empty part is refused by its number', () => {
  const rows: [string, number][] = [
    ['', 1],
    [':a', 1],
    ['a:', 2],
    ['a::b', 2],
  ];
  for (const [value, part] of rows) {
    const error = errorOf(() => parseLayersAnnotation(value, '/b'));
    assert.is(error.message, `read the layers annotation ${JSON.stringify(value)}: part ${part} is empty`);
    assert.is(error.code, 'CONFIG');
  }
});

test('overlayMount: one setting a layer, the topmost first, on Linux 6.8', () => {
  assert.equal(overlayMount(rootfs(['/base', '/app']), [6, 8], false), {
    api: 'fsconfig',
    settings: [
      string('lowerdir+', '/app'),
      string('lowerdir+', '/base'),
      string('upperdir', '/c/upper'),
      string('workdir', '/c/work'),
      ...OPTIONS,
    ],
  });
});

test('overlayMount: in a user namespace the marks are user attributes', () => {
  const mount = overlayMount(rootfs(['/base']), [7, 0], true);
  assert.equal(mount.api === 'fsconfig' && mount.settings.at(-1), { as: 'flag', key: 'userxattr' });
  const old = overlayMount(rootfs(['/base']), [5, 14], true);
  assert.match(old.api === 'mount' ? old.data : '', /,userxattr$/);
});

test('overlayMount: special characters stay as they are in lowerdir+, a backslash is doubled in upperdir', () => {
  const mount = overlayMount(rootfs(['/a:b,c\\d'], '/a:b,c\\d'), [6, 12], false);
  assert.equal(mount.api === 'fsconfig' && mount.settings.slice(0, 3), [
    string('lowerdir+', '/a:b,c\\d'),
    string('upperdir', '/a:b,c\\\\d/upper'),
    string('workdir', '/a:b,c\\\\d/work'),
  ]);
});

test('overlayMount: a path of more than 255 bytes goes by file descriptor on Linux 6.13', () => {
  const fits = '/' + 'x'.repeat(254);
  const long = '/' + 'ü'.repeat(128);
  const mount = overlayMount(rootfs([fits, long], `${long}\\`), [6, 13], false);
  assert.equal(mount.api === 'fsconfig' && mount.settings.slice(0, 4), [
    { as: 'path', key: 'lowerdir+', path: long },
    string('lowerdir+', fits),
    { as: 'path', key: 'upperdir', path: `${long}\\/upper` },
    { as: 'path', key: 'workdir', path: `${long}\\/work` },
  ]);
  assert.is(overlayMount(rootfs([fits, long]), [6, 12], false).api, 'mount');
});

test('overlayMount: older kernels get one string', () => {
  const expected =
    'lowerdir=/app:/base,upperdir=/c/upper,workdir=/c/work,redirect_dir=nofollow,metacopy=off,index=off';
  for (const kernel of [
    [5, 14],
    [6, 7],
  ] as const) {
    assert.equal(overlayMount(rootfs(['/base', '/app']), kernel, false), { api: 'mount', data: expected });
  }
});

test('overlayMount: what does not fit a page is refused on older kernels only', () => {
  const layers = Array.from({ length: 128 }, (_, index) => `/${'l'.repeat(40)}/${index}`);
  const error = errorOf(() => overlayMount(rootfs(layers), [6, 7], false));
  assert.is(error.code, 'HOST');
  assert.match(
    error.message,
    /on \/m: 128 layers, whose paths need \d+ bytes, and Linux 6\.7 takes 4095 at once/,
  );
  assert.match(error.hint ?? '', 'Linux 6.8');
  assert.is(overlayMount(rootfs(layers), [6, 8], false).api, 'fsconfig');
});

test('overlayMount: a string of exactly a page with its NUL is the longest', () => {
  const lengthFor = (name: number) => {
    const mount = overlayMount(rootfs(['/'.repeat(name)]), [6, 7], false);
    return mount.api === 'mount' ? mount.data.length : 0;
  };
  const room = 4095 - (lengthFor(1) - 1);
  assert.is(lengthFor(room), 4095);
  assert.is(errorOf(() => lengthFor(room + 1)).code, 'HOST');
});

test('overlayMount: 1 to 500 layers', () => {
  const some = (count: number) => rootfs(Array.from({ length: count }, (_, index) => `/${index}`));
  assert.is(overlayMount(some(500), [6, 8], false).api, 'fsconfig');
  for (const count of [0, 501]) {
    const error = errorOf(() => overlayMount(some(count), [6, 8], false));
    assert.is(error.message, `mount the overlay rootfs on /m: ${count} layers, overlayfs takes 1 to 500`);
    assert.is(error.code, 'CONFIG');
  }
});

test('escapePath: backslash, colon and comma', () => {
  const rows = { '/a': '/a', '/a:b': '/a\\:b', '/a,b': '/a\\,b', '/a\\b': '/a\\\\b', '/\\:': '/\\\\\\:' };
  for (const [path, escaped] of Object.entries(rows)) assert.is(escapePath(path), escaped);
});

test.run();
