// Volumes, binds, tmpfs and --volumes-from of containers with images: what users of Docker expect, row by row. The same
// rows for bundles are in volumes.test.ts.

import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digestingSource } from '../../src/archive/digest.ts';
import { sourceOfBytes } from '../../src/archive/source.ts';
import { keepingLayers } from '../../src/image/folders.ts';
import { addLayer } from '../../src/image/layer-archive.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createImage, resolveImage } from '../../src/image/store.ts';
import { type Store, withStore } from '../support/store.ts';

const V = (store: Store, name: string, ...path: string[]) =>
  join(store.dataRoot, 'volumes', name, '_data', ...path);
const volumesOf = (store: Store) => store.out('volume', 'ls', '-q').split('\n').filter(Boolean);
const mountsOf = (store: Store, name: string) =>
  JSON.parse(store.out('inspect', '-f', '{{json .Mounts}}', name));
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
    addLayer(dataRoot, layers.at(-1), digestingSource(sourceOfBytes(tar))),
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

test('V4, V5: --mount source=N,target=/p; both sides see at once what is written', () =>
  withStore((store) => {
    store.out('run', '--rm', '--mount', 'source=volume-data,target=/data', 'bb', 'touch', '/data/data.log');
    assert.ok(existsSync(V(store, 'volume-data', 'data.log')));
    store.out('run', '-d', '--name', 'w', '-v', 'h:/d', 'bb', 'sleep', '60');
    writeFileSync(V(store, 'h', 'f'), 'hi');
    assert.is(store.out('exec', 'w', 'cat', '/d/f'), 'hi');
    store.out('rm', '-f', 'w');
  }));

test('V6, V7: a volume without a name has 64 digits; one that is missing is made', () =>
  withStore((store) => {
    store.out('run', '--name', 'a', '-v', '/d', 'bb', 'true');
    assert.match(store.out('inspect', '-f', '{{(index .Mounts 0).Name}}', 'a'), /^[0-9a-f]{64}$/);
    store.out('run', '--rm', '-v', 'newv:/d', 'bb', 'true');
    store.out('volume', 'inspect', 'newv');
    store.out('rm', '-v', 'a');
    assert.equal(volumesOf(store), ['newv']);
  }));

test('V11: a volume that a created container uses cannot be removed', () =>
  withStore((store) => {
    store.out('create', '--name', 'u', '-v', 'inuse:/d', 'bb');
    const { code, stderr } = store.t('volume', 'rm', 'inuse');
    assert.is(code, 1);
    assert.match(stderr, 'volume is in use');
    assert.match(stderr, /used by u \(.*\) at \/d/);
    store.out('rm', 'u');
    store.out('volume', 'rm', 'inuse');
  }));

test('V12, V23: several volumes; one that two containers share', () =>
  withStore((store) => {
    store.out('run', '--rm', '-v', 'a1:/a', '-v', 'b1:/b', 'bb', 'sh', '-c', 'touch /a/x /b/y');
    assert.ok(existsSync(V(store, 'a1', 'x')) && existsSync(V(store, 'b1', 'y')));
    store.out('run', '--rm', '-v', 'log-vol:/tmp/log', 'bb', 'sh', '-c', 'echo l >/tmp/log/a');
    store.out('run', '--rm', '-v', 'log-vol:/in:ro', 'bb', 'grep', '-q', 'l', '/in/a');
  }));

test('V13, V14, V17: a new volume is filled at create, and is a copy', () =>
  withStore(async (store) => {
    await addWeb(store);
    store.out('create', '--name', 'i', '-v', `ini:${HTML}`, 'web', 'true');
    assert.is(readFileSync(V(store, 'ini', 'index.html'), 'utf8'), 'hi\n');
    const { uid, gid } = statSync(V(store, 'ini'));
    assert.equal([uid, gid], [33, 33]);
    store.out('rm', 'i');
    store.out('run', '--rm', '-v', `ini:${HTML}`, 'web', 'rm', `${HTML}/index.html`);
    assert.is(store.out('run', '--rm', 'web', 'cat', `${HTML}/index.html`), 'hi');
    assert.not(existsSync(V(store, 'ini', 'index.html')));
  }));

test('a volume that was emptied is not filled by a start', () =>
  withStore(async (store) => {
    await addWeb(store);
    store.out('create', '--name', 'i', '-v', `ini:${HTML}`, 'web', 'rm', '-f', `${HTML}/index.html`);
    store.out('start', '-a', 'i');
    store.out('start', '-a', 'i');
    assert.equal(readdirSync(V(store, 'ini')), []);
    store.out('rm', 'i');
  }));

test('V20, V21: rm -v and --rm take volumes without a name, unless somebody else uses them', () =>
  withStore((store) => {
    store.out('create', '--name', 'g', '-v', '/d', '-v', 'named:/n', 'bb');
    const [volume = ''] = volumesOf(store).filter((name) => name !== 'named');
    store.out('create', '--name', 'other', '--volumes-from', 'g', 'bb');
    store.out('rm', '-v', 'g');
    assert.ok(volumesOf(store).includes(volume));
    store.out('rm', '-v', 'other');
    assert.equal(volumesOf(store), ['named']);
    store.out('run', '--rm', '-v', '/d', 'bb', 'true');
    assert.equal(volumesOf(store), ['named']);
  }));

test('B1, B2, B5, B6, B7: binds', () =>
  withStore((store) => {
    const h = folder(store, 'h');
    store.out('run', '--rm', '-v', `${h}:/usr/local/data`, 'bb', 'touch', '/usr/local/data/x');
    assert.ok(existsSync(join(h, 'x')));
    store.out('run', '--rm', '-v', `${h}/made:/d`, 'bb', 'true');
    assert.ok(statSync(join(h, 'made')).isDirectory());
    assert.is(store.t('run', '--rm', '-v', `${h}:/d:ro`, 'bb', 'touch', '/d/y').code, 1);
    store.out('run', '--rm', '-v', `${h}:/d`, 'bb', 'sh', '-c', 'echo 1 >/d/k');
    assert.is(store.out('run', '--rm', '-v', `${h}:/d`, 'bb', 'cat', '/d/k'), '1');
    store.out('run', '-d', '--name', 'b7', '-v', `${h}:/d`, 'bb', 'sleep', '60');
    store.out('run', '--rm', '-v', `${h}:/d`, 'bb', 'sh', '-c', 'echo l2 >>/d/s');
    assert.is(store.out('exec', 'b7', 'cat', '/d/s'), 'l2');
    assert.is(store.out('inspect', '-f', '{{(index .Mounts 0).Propagation}}', 'b7'), 'rprivate'); // B9
    const table = readFileSync('/proc/self/mountinfo', 'utf8').split('\n'); // B10
    assert.not(table.some((line) => line.split(' ')[4] === '/d' || line.includes(` ${store.dataRoot}/`)));
    store.out('rm', '-f', 'b7');
  }));

test('B14: explain mounts tells the kinds apart', () =>
  withStore((store) => {
    store.out('create', '--name', 'b14', '-v', `${folder(store, 'h')}:/d`, '-v', 'v:/v', 'bb');
    assert.match(store.out('explain', 'mounts', 'b14'), 'hides image content');
    store.out('rm', 'b14');
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

test('T1, T2: a tmpfs is in memory alone', () =>
  withStore((store) => {
    assert.match(store.out('run', '--rm', '--tmpfs', '/s', 'bb', 'grep', ' /s ', '/proc/mounts'), 'tmpfs');
    store.out('run', '--name', 'm', '--tmpfs', '/s', 'bb', 'touch', '/s/x');
    assert.not(store.out('diff', 'm').includes('/s/x'));
    store.out('rm', 'm');
  }));

test('J1, J2, J3, J4: --volumes-from of containers that run, were created, or did it themselves', () =>
  withStore((store) => {
    store.out('run', '-d', '--name', 'lp', '--mount', 'source=lv,target=/tmp/log', 'bb', 'sleep', '60');
    store.out('run', '--rm', '--volumes-from', 'lp', 'bb', 'touch', '/tmp/log/x');
    assert.ok(existsSync(V(store, 'lv', 'x')));
    assert.match(store.out('create', '-v', '/dbdata', '--name', 'dbdata', 'bb'), /^[0-9a-f]{64}$/);
    store.out('run', '-d', '--name', 'db1', '--volumes-from', 'dbdata', 'bb', 'sleep', '60');
    store.out('run', '--rm', '--volumes-from', 'dbdata', 'bb', 'touch', '/dbdata/f');
    store.out('exec', 'db1', 'test', '-e', '/dbdata/f');
    store.out('create', '--name', 'o', '-v', '/other', 'bb');
    const script = 'test -d /dbdata && test -d /other';
    store.out('run', '--rm', '--volumes-from', 'db1', '--volumes-from', 'o', 'bb', 'sh', '-c', script);
    const [{ Name }] = mountsOf(store, 'dbdata'); // J6
    store.out('rm', '-f', 'db1', 'dbdata');
    store.out('volume', 'inspect', Name);
    store.out('rm', '-f', 'lp', 'o');
  }));

test('J5: both containers have the same Mounts', () =>
  withStore((store) => {
    const h = folder(store, 'h');
    store.out('create', '--name', 'init', '-v', `${h}:/data/www`, '-v', 'managed:/m', 'bb');
    store.out('create', '--name', 'httpd', '--volumes-from', 'init', 'bb');
    assert.equal(mountsOf(store, 'init'), mountsOf(store, 'httpd'));
    assert.is(mountsOf(store, 'init').length, 2);
    store.out('rm', 'init', 'httpd');
  }));

test('J10, B8: an image that packs data, as a volume of its own; it names no directory of the host', () =>
  withStore(async (store) => {
    await addWeb(store);
    store.out('create', '--name', 'c', 'web');
    store.out('commit', '-c', `VOLUME ${HTML}`, 'c', 'packed');
    store.out('create', '--name', 'tp', 'packed');
    assert.is(store.out('run', '--rm', '--volumes-from', 'tp', 'bb', 'cat', `${HTML}/index.html`), 'hi');
    assert.is(store.out('inspect', '-f', '{{json .Config.Volumes}}', 'packed'), `{"${HTML}":{}}`);
    store.out('create', '--name', 'own', '-v', `mine:${HTML}`, 'packed');
    assert.equal(
      mountsOf(store, 'own').map(({ Name }: { Name: string }) => Name),
      ['mine'],
      'a flag comes first',
    );
    store.out('rm', '-v', 'c', 'tp', 'own');
    assert.equal(volumesOf(store), ['mine']);
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
