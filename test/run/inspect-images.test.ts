// Looking into containers of images: `ps`, `inspect`, `mounts`, `where`, `explain`.

import { existsSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeImage, type Store, withStore, writeFiles } from '../support/store.ts';

const SITE = '/usr/share/nginx/html';
const withWeb = (use: (store: Store) => void | Promise<void>): Promise<void> =>
  withStore(async (store) => {
    await makeImage(store, 'web', (diff) => writeFiles(diff, { 'usr/share/nginx/html/index.html': 'hi' }));
    await use(store);
  });
const where = (store: Store, ...words: string[]) => JSON.parse(store.out('where', '--json', ...words));
const dataOf = (store: Store, name: string): Record<string, string> =>
  JSON.parse(store.out('inspect', '-f', '{{json .GraphDriver.Data}}', name));

test('K8: run -d prints the whole id, ps its beginning', () =>
  withStore((store) => {
    const id = store.out('run', '-d', '--name', 'one', 'bb', 'sleep', '600');
    assert.match(id, /^[0-9a-f]{64}$/);
    const [head, line] = store.out('ps').split('\n');
    assert.match(head!, /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/);
    assert.match(line!, new RegExp(`^${id.slice(0, 12)} +bb +"sleep 600" +.* ago +Up .* +one$`));
    store.out('stop', '-t', '0', 'one');
    assert.is(store.out('ps', '-q'), '');
    assert.match(store.out('ps', '-a'), / Exited \(137\) .* ago +one$/);
    assert.is(store.out('ps', '-aq', '-f', 'ancestor=bb', '--no-trunc'), id);
    assert.is(store.out('ps', '-aq', '-f', 'ancestor=bb', '-f', 'exited=0'), '');
  }));

test('K6, K7, B9: Mounts of binds and volumes', () =>
  withWeb((store) => {
    const b = store.out('create', '-v', `${store.top}:/d`, '-v', 'data:/v:ro', 'bb');
    const source = `${store.dataRoot}/volumes/data/_data`;
    assert.is(
      store.out('inspect', '-f', '{{.Mounts}}', b),
      `[{bind  ${store.top} /d   true rprivate} {volume data ${source} /v local ro false }]`,
    );
    const text = store.out('inspect', b);
    for (const key of ['Type', 'Name', 'Source', 'Destination', 'Driver', 'Mode', 'RW', 'Propagation'])
      assert.match(text, `"${key}"`);
    assert.is(store.out('inspect', '-f', '{{(index .Mounts 0).Propagation}}', b), 'rprivate');
  }));

test('inspect: state, image and config of a container that ran', () =>
  withStore((store) => {
    store.t('run', '--name', 'c', '-e', 'A=1', '--label', 'x=y', 'bb', 'sh', '-c', 'exit 3');
    const [c] = JSON.parse(store.out('inspect', 'c'));
    assert.equal([c.State.Status, c.State.ExitCode, c.Name, c.Config.Image], ['exited', 3, '/c', 'bb']);
    assert.ok(Date.parse(c.State.StartedAt) <= Date.parse(c.State.FinishedAt));
    assert.is(c.Image, store.out('inspect', '--type', 'image', '-f', '{{.Id}}', 'bb'));
    assert.ok(c.Config.Env.includes('A=1'));
    assert.is(
      store.out('inspect', '-f', '{{index .Config.Labels "x"}} {{.Path}} {{.Args}}', 'c'),
      'y sh [-c exit 3]',
    );
    assert.ok(existsSync(c.LogPath));
    assert.match(store.out('inspect', '-s', '-f', '{{.SizeRootFs}}', 'c'), /^[1-9]\d+$/);
  }));

test('L2, L3, L6, L10: the layers of a container, and what it writes', () =>
  withStore((store) => {
    const ov = store.out('run', '-d', '--name', 'ov', 'bb', 'sleep', '600');
    const { LowerDir, UpperDir } = dataOf(store, 'ov');
    const layers = Number(store.out('inspect', '-f', '{{len .RootFS.Layers}}', 'bb'));
    assert.is(LowerDir!.split(':').length, layers + 1, 'one lower more than the image: the init layer');
    const before = where(store, 'ov', '/etc/passwd');
    assert.equal([before.source.kind, before.source.layer.image], ['image', 'bb']);
    assert.match(before.source.layer.chainId, /^sha256:[0-9a-f]{64}$/);
    store.out('exec', ov, 'sh', '-c', 'echo x >>/etc/passwd; touch /nn; rm /etc/group');
    assert.ok(existsSync(`${UpperDir}/etc/passwd`) && existsSync(`${UpperDir}/nn`));
    const after = where(store, 'ov', '/etc/passwd');
    assert.equal([after.source.kind, after.source.hostPath], ['upper', `${UpperDir}/etc/passwd`]);
    assert.equal(after.layers[1].hiddenBy.as, 'copy');
    assert.is(after.layers[1].file.size, before.file.size, 'the lower copy is as it was');
    assert.ok(statSync(`${UpperDir}/etc/group`).isCharacterDevice());
    assert.match(store.out('where', 'ov', '/etc/group'), 'not there: a whiteout in the upper layer hides it');
    store.out('stop', '-t', '0', 'ov');
    assert.is(where(store, 'ov', '/etc/passwd').source.kind, 'upper', 'and when it has ended');
  }));

test('L1: mounts shows the overlay, its flags and the files of its own', () =>
  withStore((store) => {
    store.out('run', '-d', '--name', 'ov', '-v', 'data:/v', '--tmpfs', '/s', 'bb', 'sleep', '600');
    const text = store.out('mounts', 'ov');
    assert.match(text, / on \/ type overlay \(rw,relatime\) +private +image bb\n/);
    assert.match(text, / on \/v type \w+ \(.*\) +private +--volume data:\/v \(volume data\)\n/);
    assert.match(text, / on \/s type tmpfs \(.*\) +private +--tmpfs \/s\n/);
    assert.match(text, / on \/etc\/hosts type \w+ .* the runtime\n/);
    assert.not.match(text, /no line of config/);
  }));

test('where and mounts of a container that was never started', () =>
  withWeb((store) => {
    const made = store.out('create', '-v', `site:${SITE}`, 'web', 'none');
    assert.match(store.out('mounts', made), /^MOUNT \(PLANNED\)[\s\S]* on \/ type overlay /);
    const index = where(store, made, `${SITE}/index.html`);
    assert.equal([index.source.kind, index.source.point.Name], ['volume', 'site']);
    assert.is(index.file.size, 2, 'the volume was filled when the container was created');
    assert.equal(index.hides.entries.names, ['index.html']);
  }));

test('where tells who else has a volume', () =>
  withStore((store) => {
    const a = store.out('create', '-v', 'both:/a', 'bb');
    const b = store.out('create', '-v', 'both:/b:ro', 'bb');
    assert.match(
      store.out('where', a, '/a/x'),
      /from +volume both \(driver local\)\n +also used by +\w+ \(\/b\)\n/,
    );
    assert.match(
      store.out('where', b.slice(0, 9), '/b'),
      /writable +no: the mount on \/b is read-only \(ro\): --volume both:\/b:ro/,
    );
  }));

test('where of parts of volumes, of layers over binds, of images as mounts', () =>
  withWeb((store) => {
    store.out('run', '--rm', '-v', 'data:/v', 'bb', 'mkdir', '-p', '/v/sub/dir');
    const subpath = 'type=volume,src=data,dst=/v,volume-subpath=sub';
    const id = store.out(
      ...['run', '-d', '--mount', subpath, '-v', `${store.top}:/o:O`, '--mount', 'type=image,src=web,dst=/i'],
      ...['bb', 'sleep', '600'],
    );
    assert.is(where(store, id, '/v/dir').source.hostPath, `${store.dataRoot}/volumes/data/_data/sub/dir`);
    assert.match(store.out('where', id, '/o'), /from +a bind .*, under a layer that takes what is written/);
    assert.match(
      store.out('where', id, `/i${SITE}`),
      /from +image [0-9a-f]{12}, which nothing can be written to/,
    );
    assert.is(where(store, id, `/i${SITE}`).writable, false);
  }));

test('CVE-2018-15664: where shows nothing of the host, however fast a container swaps symlinks', () =>
  withStore((store) => {
    writeFiles(store.top, { secret: 'of the host' });
    const swap = `mkdir /a; while :; do mv /a /b; ln -s ${store.top} /a; rm /a; mv /b /a; done`;
    const id = store.out('run', '-d', 'bb', 'sh', '-c', swap);
    for (let i = 0; i < 40; i++) {
      assert.is(where(store, id, '/a/secret').file, null);
    }
    store.out('rm', '-f', id);
  }));

test('B14: explain mounts tells what a bind hides of the image', () =>
  withWeb((store) => {
    const b7 = store.out('create', '-v', `${store.top}:${SITE}`, 'web', 'none');
    const text = store.out('explain', 'mounts', b7);
    assert.match(text, 'hides image content');
    assert.match(text, new RegExp(`^${SITE} +bind +${store.top} +rw +index\\.html +--volume `, 'm'));
  }));

test('L14: containers of one image share its files in memory', () =>
  withStore((store) => {
    const [ov = '', b7 = ''] = ['ov', 'b7'].map((name) =>
      store.out('run', '-d', '--name', name, 'bb', 'sleep', '600'),
    );
    const inode = (id: string): string => store.out('exec', id, 'stat', '-c', '%i', '/bin/busybox');
    assert.is(inode(ov), inode(b7));
    const text = store.out('explain', 'pagecache', 'ov', 'b7', '/bin/busybox');
    assert.match(text, 'one inode: its pages are in memory once');
    const [, first, second] = /after reading it through the first container +(\d+) +(\d+)$/.exec(text) ?? [];
    assert.ok(Number(first) > 0);
    assert.is(first, second);
    store.out('exec', b7, 'touch', '/bin/busybox');
    assert.match(store.out('explain', 'pagecache', 'ov', 'b7', '/bin/busybox'), 'two inodes');
  }));

test('top of a container by its name', () =>
  withStore((store) => {
    store.out('run', '-d', '--name', 'web', 'bb', 'sleep', '600');
    assert.match(store.out('top', 'web', '-o', 'pid,args'), /^ *PID COMMAND\n *\d+ sleep 600$/);
    assert.match(store.out('top', 'web'), /^UID +PID .*\n.* sleep 600$/);
  }));

test('inspect and ps of hostile labels: nothing in them steers a terminal', () =>
  withStore((store) => {
    const evil = store.out('create', '--label', 'x=\x1b[2J', 'bb', 'sh', '-c', '\x1b]0;owned\x07');
    assert.not.match(
      store.out('ps', '-a', '--no-trunc', '--format', 'table {{.Command}}\\t{{.Labels}}'),
      '\x1b',
    );
    assert.not.match(store.out('inspect', evil), '\x1b');
  }));

test.run();
