// Volumes, binds, tmpfs and --volumes-from of containers with images: what users of Docker expect, row by row. The same
// rows for bundles are in volumes.test.ts.

import { chownSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sourceOfBytes } from '../../src/archive/source.ts';
import { keepingLayers } from '../../src/image/folders.ts';
import { addLayer } from '../../src/image/layers.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createImage, resolveImage } from '../../src/image/store.ts';
import { type Store, withStore } from '../support/store.ts';

const V = (store: Store, name: string, ...path: string[]) =>
  join(store.dataRoot, 'volumes', name, '_data', ...path);
/** A folder of the host. */
const folder = (store: Store, name: string): string => {
  const path = join(store.dataRoot, '..', name);
  mkdirSync(path, { recursive: true });
  return path;
};
const HTML = '/usr/share/nginx/html';

/** An image `web` on top of bb, which has a page. */
async function addWeb({ top, dataRoot }: Store): Promise<void> {
  const directory = join(top, 'web');
  mkdirSync(join(directory, HTML), { recursive: true });
  writeFileSync(join(directory, HTML, 'index.html'), 'hi\n');
  chownSync(join(directory, HTML), 33, 33);
  const tar = Bun.spawnSync(['tar', '-C', directory, '-c', '.']).stdout;
  const { config, layers } = resolveImage(dataRoot, 'bb');
  const { diffId } = await keepingLayers(dataRoot, () =>
    addLayer(dataRoot, layers.at(-1), sourceOfBytes(tar)),
  );
  const rootfs = { type: 'layers', diff_ids: [...config.rootfs.diff_ids, diffId] };
  const bytes = new TextEncoder().encode(JSON.stringify({ ...config, rootfs }));
  await createImage(dataRoot, bytes, { names: [parseReference('web')] });
}

test('V2: a volume bypasses the union filesystem', () =>
  withStore((store) => {
    const script = 'grep -q " /d " /proc/mounts && ! grep " /d overlay" /proc/mounts';
    store.out('run', '--rm', '-v', 'd:/d', 'bb', 'sh', '-c', script);
  }));

test('V12, V23: several volumes; one that two containers share', () =>
  withStore((store) => {
    store.out('run', '--rm', '-v', 'a1:/a', '-v', 'b1:/b', 'bb', 'sh', '-c', 'touch /a/x /b/y');
    assert.ok(existsSync(V(store, 'a1', 'x')) && existsSync(V(store, 'b1', 'y')));
    store.out('run', '--rm', '-v', 'log-vol:/tmp/log', 'bb', 'sh', '-c', 'echo l >/tmp/log/a');
    store.out('run', '--rm', '-v', 'log-vol:/in:ro', 'bb', 'grep', '-q', 'l', '/in/a');
  }));

test('B3: a relative path without a dot is no source', () =>
  withStore((store) => {
    const { code, stderr } = store.t('run', '--rm', '-v', 'rel/x:/d', 'bb', 'true');
    assert.is(code, 125);
    assert.match(stderr, 'absolute path');
  }));

test('B4, B11: a bind hides what the image has, and shows the very directory', () =>
  withStore(async (store) => {
    await addWeb(store);
    const h = folder(store, 'h');
    store.out('run', '--rm', '-v', `${h}:${HTML}`, 'web', 'test', '!', '-e', `${HTML}/index.html`);
    store.out('run', '--rm', 'web', 'test', '-e', `${HTML}/index.html`);
    assert.is(
      store.out('run', '--rm', '-v', `${h}:/d`, 'bb', 'stat', '-c', '%i', '/d'),
      `${statSync(h).ino}`,
    );
  }));

test('F1, F2: a file can be bound; what is missing becomes a directory with -v, and an error with --mount', () =>
  withStore((store) => {
    const h = folder(store, 'h');
    writeFileSync(join(h, 'f'), 'v');
    assert.is(store.out('run', '--rm', '-v', `${h}/f:/etc/f`, 'bb', 'cat', '/etc/f'), 'v');
    store.out('run', '--rm', '-v', `${h}/none:/m`, 'bb', 'test', '-d', '/m');
    const { code, stderr } = store.t(
      'run',
      '--rm',
      '--mount',
      `type=bind,src=${h}/none2,dst=/m`,
      'bb',
      'true',
    );
    assert.is(code, 125);
    assert.match(stderr, `bind source path does not exist: ${h}/none2`);
    assert.match(
      store.t('run', '--rm', '-v', `${h}:/etc/passwd`, 'bb', 'true').stderr,
      'directory onto a file',
    );
  }));

test('--mount type=image: an image of one layer, one of several, and a part of either; read-only', () =>
  withStore(async (store) => {
    await addWeb(store);
    const run = (mount: string, ...words: string[]) =>
      store.t('run', '--rm', '--mount', `type=image,${mount}`, 'bb', ...words);
    assert.is(run('src=web,dst=/i', 'cat', `/i${HTML}/index.html`).stdout, 'hi\n');
    assert.is(run('src=web,dst=/i', 'test', '-e', '/i/bin/busybox').code, 0);
    assert.is(run('src=bb,dst=/i', 'test', '-e', '/i/bin/busybox').code, 0);
    assert.match(run('src=web,dst=/i', 'touch', '/i/x').stderr, 'Read-only file system');
    assert.is(
      run(`src=web,dst=/i,image-subpath=usr/share`, 'cat', '/i/nginx/html/index.html').stdout,
      'hi\n',
    );
    assert.is(run(`src=web,dst=/f,image-subpath=${HTML.slice(1)}/index.html`, 'cat', '/f').stdout, 'hi\n');
    assert.is(run('src=bb,dst=/i,image-subpath=bin', 'test', '-e', '/i/busybox').code, 0);
    assert.match(
      run('src=bb,dst=/i,image-subpath=none', 'true').stderr,
      'cannot access subpath none of image bb',
    );
    assert.match(run('src=nosuch,dst=/i', 'true').stderr, 'No such image: nosuch:latest');
  }));

test.run();
