// The merged view of layers, beside what overlayfs itself shows of them.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close } from '../../native-bindings/libc.ts';
import { openMerged, readMerged } from '../../src/image/merged.ts';
import { runCommand } from '../support/container.ts';

/** Layers by path, topmost first: text, a directory (null), a link (`-> target`), `whiteout`, `opaque` directory. */
type Layer = Record<string, string | null>;

async function withLayers(layers: Layer[], use: (directories: string[], top: string) => void): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const directories = layers.map((layer, index) => {
    const directory = join(top, String(index));
    mkdirSync(directory);
    for (const [path, what] of Object.entries(layer)) make(join(directory, path), what);
    return directory;
  });
  try {
    use(directories, top);
  } finally {
    rmSync(top, { recursive: true });
  }
}

function make(path: string, what: string | null): void {
  mkdirSync(join(path, '..'), { recursive: true });
  if (what === null) mkdirSync(path);
  else if (what === 'opaque') {
    mkdirSync(path);
    assert.is(runCommand(['setfattr', '-n', 'trusted.overlay.opaque', '-v', 'y', path]).code, 0);
  } else if (what === 'whiteout') assert.is(runCommand(['mknod', path, 'c', '0', '0']).code, 0);
  else if (what === 'fifo') assert.is(runCommand(['mkfifo', path]).code, 0);
  else if (what.startsWith('-> ')) symlinkSync(what.slice(3), path);
  else writeFileSync(path, what);
}

const TABLE: { name: string; layers: Layer[]; path: string; text: string | undefined }[] = [
  { name: 'the topmost file counts', layers: [{ f: 'top' }, { f: 'below' }], path: 'f', text: 'top' },
  { name: 'a lower file is seen', layers: [{}, { 'd/f': 'below' }], path: '/d/f', text: 'below' },
  { name: 'directories are merged', layers: [{ 'd/a': '1' }, { 'd/b': '2' }], path: 'd/b', text: '2' },
  { name: 'a whiteout hides', layers: [{ f: 'whiteout' }, { f: 'below' }], path: 'f', text: undefined },
  {
    name: 'a whiteout of a directory hides all in it',
    layers: [{ d: 'whiteout' }, { 'd/f': '1' }],
    path: 'd/f',
    text: undefined,
  },
  {
    name: 'an opaque directory hides',
    layers: [{ d: 'opaque' }, { 'd/f': 'below' }],
    path: 'd/f',
    text: undefined,
  },
  {
    name: 'made anew above a whiteout',
    layers: [{ f: 'new' }, { f: 'whiteout' }, { f: 'old' }],
    path: 'f',
    text: 'new',
  },
  { name: 'a file hides a directory', layers: [{ d: 'file' }, { 'd/f': 'x' }], path: 'd/f', text: undefined },
  { name: 'a directory hides a file', layers: [{ d: null }, { d: 'x' }], path: 'd', text: undefined },
  {
    name: 'a directory ends what is merged below a file',
    layers: [{ d: null }, { d: 'x' }, { 'd/f': 'y' }],
    path: 'd/f',
    text: undefined,
  },
  { name: 'a link is followed', layers: [{ l: '-> d/f' }, { 'd/f': 'x' }], path: 'l', text: 'x' },
  {
    name: 'a link of a lower layer leads to an upper one',
    layers: [{ 'd/f': 'x' }, { l: '-> /d' }],
    path: 'l/f',
    text: 'x',
  },
  {
    name: 'an absolute link stays inside',
    layers: [{ 'etc/passwd': 'mine' }, { l: '-> /etc/passwd' }],
    path: 'l',
    text: 'mine',
  },
  {
    name: '.. does not leave the root',
    layers: [{ l: '-> ../../../../../f', f: 'x' }],
    path: 'l',
    text: 'x',
  },
  { name: 'a path may go up', layers: [{ 'a/b': null, 'a/f': 'x' }], path: 'a/b/../f', text: 'x' },
  {
    name: 'nothing of the host is found',
    layers: [{ l: '-> /proc/self/root/etc' }],
    path: 'l/hostname',
    text: undefined,
  },
  { name: 'a fifo is not opened', layers: [{ f: 'fifo' }], path: 'f', text: undefined },
  { name: 'a directory is no file', layers: [{ d: null }], path: 'd', text: undefined },
];
for (const { name, layers, path, text } of TABLE) {
  test(`readMerged: ${name}`, async () => {
    await withLayers(layers, (directories) => assert.is(readMerged(directories, path, 100), text));
  });
}

test('overlayfs shows the same as readMerged', async () => {
  // Absolute links and those that go up would lead out of the mount, where nobody is chrooted.
  const isInside = (what: string | null): boolean => !/^-> (\/|\.\.)|fifo/.test(what ?? '');
  const rows = TABLE.filter(({ layers }) => layers.every((layer) => Object.values(layer).every(isInside)));
  assert.ok(rows.length > 10);
  for (const { name, layers, path, text } of rows)
    await withLayers(layers, (directories, top) => {
      mkdirSync(join(top, 'merged'));
      mkdirSync(join(top, 'empty'));
      const script = `mount -t overlay overlay -o lowerdir=${[...directories, join(top, 'empty')].join(':')} ${top}/merged && cat ${top}/merged/${path}`;
      const { stdout, code } = runCommand(['unshare', '-m', 'sh', '-c', script]);
      assert.equal([code === 0, stdout], [text !== undefined, text ?? ''], name);
    });
});

test('a loop of links is nothing, and a file beyond the limit an error', async () => {
  await withLayers([{ a: '-> b', b: '-> a', f: 'x'.repeat(100) }], (directories) => {
    assert.is(readMerged(directories, 'a', 100), undefined);
    assert.is(readMerged(directories, 'f', 100)?.length, 100);
    assert.throws(() => readMerged(directories, 'f', 99), 'larger than 99 bytes');
  });
});

test('openMerged: a directory with all that is merged in it, and no descriptor is left open', async () => {
  await withLayers([{ 'd/a': '1' }, { 'd/b': '2' }, { d: 'file' }, { 'd/c': '3' }], (directories) => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    const entry = openMerged(directories, 'd');
    assert.equal([entry?.type, entry?.fds.length], ['directory', 2]);
    for (const fd of entry?.fds ?? []) close(fd);
    assert.is(openMerged(directories, 'd/c'), undefined);
    assert.is(open(), before);
  });
});

test.run();
