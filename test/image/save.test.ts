// `image save`: what comes out is what came in, for tinyrun itself and for the programs that others have. Needs root.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { namesIn, type Store, withStore } from '../support/image-store.ts';
import { host, type MadeImage, makeLayer, makeLayout, named, tarOf } from '../support/oci-layout.ts';
import { skip } from '../support/skip.ts';
import { makeTree } from '../support/trees.ts';

const base = makeLayer({ 'etc/name': 'base\n', 'bin/tool': 'tool\n', 'etc/old': 'old\n', 'dir/x': 'x' });
const top = makeLayer({ 'etc/name': 'top\n', 'etc/.wh.old': '', 'dir/.wh..wh..opq': '' });
const image: MadeImage = {
  layers: [base, top],
  compression: 'gzip',
  config: {
    config: { Cmd: ['tool'], Env: ['A=b'] },
    history: [{ created_by: 'one' }, { created_by: 'two' }],
  },
  annotations: named('docker.io/library/bb:1'),
};

/** A store that has the image as `bb:1`; its id. */
async function withImage(use: (store: Store, id: string) => void | Promise<void>): Promise<void> {
  await withStore(async (store) => {
    makeLayout(join(store.folder, 'layout'), image);
    store.out('image', 'import', 'layout');
    await use(store, idOf(store, 'bb:1'));
  });
}

const idOf = (store: Store, called: string): string =>
  store.out('image', 'inspect', '-f', '{{.Id}}', called).trim();
const diffIdsOf = (store: Store, called: string): string =>
  store.out('image', 'inspect', '-f', '{{json .RootFS.Layers}}', called).trim();

for (const format of ['docker', 'oci'])
  test(`save --format ${format}: the same config and layers come back`, () =>
    withImage((store, id) => {
      const diffIds = diffIdsOf(store, 'bb:1');
      store.out('save', '--format', format, '-o', 'saved.tar', 'bb:1');
      store.out('rmi', 'bb:1');
      assert.equal(namesIn(store, 'image/overlay2/layerdb/sha256'), []);
      assert.is(store.out('load', '-i', 'saved.tar'), 'Loaded image: bb:1\n');
      assert.is(idOf(store, 'bb:1'), id);
      assert.is(diffIdsOf(store, 'bb:1'), diffIds);
      store.out('save', '--format', format, '-o', 'again.tar', 'bb:1');
      host(['cmp', 'saved.tar', 'again.tar'], { cwd: store.folder });
    }));

test('save: a layer with every kind of file comes out byte by byte, as tar wrote it', () =>
  withStore((store) => {
    const tree = join(store.folder, 'tree');
    mkdirSync(tree);
    makeTree(tree);
    const layer = tarOf(tree);
    const pax = Bun.spawnSync([
      'tar',
      '--format=pax',
      '--xattrs',
      '--xattrs-include=*',
      '--sparse',
      '-C',
      tree,
      '-cf',
      '-',
      '.',
    ]).stdout;
    for (const [name, tar] of Object.entries({ gnu: layer.tar, pax })) {
      writeFileSync(join(store.folder, `${name}.tar`), tar);
      store.out('import', `${name}.tar`, name);
      store.out('save', '-o', `${name}-saved.tar`, name);
      const [diffId] = JSON.parse(diffIdsOf(store, name));
      host(['tar', '-xf', `${name}-saved.tar`, `blobs/sha256/${diffId.slice(7)}`], { cwd: store.folder });
      host(['cmp', `${name}.tar`, `blobs/sha256/${diffId.slice(7)}`], { cwd: store.folder });
    }
  }));

test('save: several images in one archive, each layer once', () =>
  withImage((store) => {
    makeLayout(join(store.folder, 'other'), { layers: [base], annotations: named('docker.io/team/other:2') });
    store.out('import', 'other');
    store.out('tag', 'bb:1', 'bb:one');
    store.out('save', '-o', 'all.tar', 'bb:1', 'bb:one', 'team/other:2');
    const names = host(['tar', '-tf', 'all.tar'], { cwd: store.folder }).trim().split('\n');
    assert.is(new Set(names).size, names.length, 'no name twice');
    assert.is(names.filter((name) => name.endsWith(base.diffId.slice(7))).length, 1);
    store.out('image', 'prune', '-af');
    assert.is(
      store.out('load', '-i', 'all.tar'),
      'Loaded image: bb:1\nLoaded image: bb:one\nLoaded image: team/other:2\n',
    );
  }));

test('save: by id it has no name', () =>
  withImage((store, id) => {
    store.out('save', '-o', 'id.tar', id.slice(7, 19));
    store.out('rmi', 'bb:1');
    assert.is(store.out('load', '-i', 'id.tar'), `Loaded image ID: ${id}\n`);
  }));

test('save: refuses a terminal, and leaves nothing where it fails', () =>
  withImage((store) => {
    const words = [
      tinyrun,
      '--root',
      join(store.dataRoot, '../root'),
      '--data-root',
      store.dataRoot,
      'save',
      'bb:1',
    ];
    const typed = Bun.spawnSync(['script', '-qec', words.join(' '), '/dev/null'], { stdin: 'ignore' });
    assert.match(
      typed.stdout.toString(),
      /cowardly refusing to save to a terminal; use the -o flag or redirect/,
    );
    assert.is(typed.exitCode, 1);
    // Somebody changes a file of the layer: the archive would not be what its digest says.
    const upper = store.out('image', 'inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', 'bb:1').trim();
    writeFileSync(join(upper, 'etc/name'), 'TOP\n');
    writeFileSync(join(store.folder, 'old.tar'), 'an older archive');
    const { code, stderr } = store.run(['save', '-o', 'old.tar', 'bb:1']);
    assert.is(code, 1);
    assert.match(stderr, /layer sha256:[0-9a-f]{64} is damaged: its files were changed on disk/);
    assert.is(readFileSync(join(store.folder, 'old.tar'), 'utf8'), 'an older archive');
    assert.equal(readdirSync(store.folder).sort(), ['layout', 'old.tar']);
    assert.match(store.run(['save', '-o', '/no/such/folder/x', 'bb:1']).stderr, /ENOENT/);
    assert.match(store.run(['save', 'nosuch']).stderr, /No such image: nosuch:latest/);
  }));

test('save -o: is for its owner alone, and whole; a device is written to', () =>
  withImage((store) => {
    store.out('save', '-o', 'x.tar', 'bb:1');
    assert.is(statSync(join(store.folder, 'x.tar')).mode & 0o777, 0o600);
    store.out('save', '-o', '/dev/null', 'bb:1');
    assert.ok(statSync('/dev/null').isCharacterDevice());
  }));

for (const [format, transport] of [
  ['docker', 'docker-archive'],
  ['oci', 'oci-archive'],
] as const)
  test(`skopeo reads what save --format ${format} writes, and we what skopeo writes`, () =>
    withImage((store, id) => {
      if (Bun.which('skopeo') === null) return skip('skopeo', 'not installed');
      const skopeo = (...args: string[]) => host(['skopeo', ...args], { cwd: store.folder });
      store.out('save', '--format', format, '-o', 'saved.tar', 'bb:1');
      const inspected = JSON.parse(skopeo('inspect', '--config', '--raw', `${transport}:saved.tar`));
      assert.equal(inspected.rootfs.diff_ids, [base.diffId, top.diffId]);
      skopeo('--insecure-policy', 'copy', '-q', `${transport}:saved.tar`, 'docker-archive:copy.tar:bb:copy');
      skopeo(
        '--insecure-policy',
        'copy',
        '-q',
        `${transport}:saved.tar`,
        'oci-archive:copy-oci.tar:docker.io/library/bb:oci',
      );
      skopeo(
        '--insecure-policy',
        'copy',
        '-q',
        '--dest-compress-format',
        'zstd',
        `${transport}:saved.tar`,
        'oci:zstd:bb:zstd',
      );
      for (const [source, name] of [
        ['copy.tar', 'bb:copy'],
        ['copy-oci.tar', 'bb:oci'],
        ['zstd', 'bb:zstd'],
      ] as const) {
        assert.is(store.out('image', 'import', source), `Loaded image: ${name}\n`);
        assert.is(diffIdsOf(store, name), JSON.stringify([base.diffId, top.diffId]));
        // From one kind to the other skopeo may write the config anew.
        const sameKind = (source === 'copy.tar') === (format === 'docker');
        if (sameKind) assert.is(idOf(store, name), id, source);
      }
    }));

for (const kind of ['gzip', 'zstd'])
  test(`save --format oci --compress ${kind}: skopeo and we read it, with the same config and diff ids`, () =>
    withImage((store, id) => {
      const save = (file: string): string =>
        store.out('save', '--format', 'oci', '--compress', kind, '-o', file, 'bb:1');
      store.out('tag', 'bb:1', 'bb:one');
      save('saved.tar');
      save('again.tar');
      host(['cmp', 'saved.tar', 'again.tar'], { cwd: store.folder });
      const names = host(['tar', '-tf', 'saved.tar'], { cwd: store.folder });
      for (const { diffId } of [base, top]) assert.not.match(names, diffId.slice(7));
      assert.equal(
        namesIn(store, '').filter((name) => name.startsWith('.spool')),
        [],
      );
      store.out('rmi', '-f', id);
      assert.is(store.out('load', '-i', 'saved.tar'), 'Loaded image: bb:1\n');
      assert.equal(
        [idOf(store, 'bb:1'), diffIdsOf(store, 'bb:1')],
        [id, JSON.stringify([base.diffId, top.diffId])],
      );
      if (Bun.which('skopeo') === null) return skip('skopeo', 'not installed');
      const skopeo = (...args: string[]) => host(['skopeo', ...args], { cwd: store.folder });
      const { layers } = JSON.parse(skopeo('inspect', '--raw', 'oci-archive:saved.tar'));
      for (const { mediaType, digest, size } of layers) {
        assert.is(mediaType, `application/vnd.oci.image.layer.v1.tar+${kind}`);
        const blob = ['tar', '-xOf', 'saved.tar', `blobs/${digest.replace(':', '/')}`];
        assert.is(Bun.spawnSync(blob, { cwd: store.folder }).stdout.length, size);
      }
      skopeo(
        '--insecure-policy',
        'copy',
        '-q',
        'oci-archive:saved.tar',
        'oci-archive:copy.tar:docker.io/library/bb:copy',
      );
      assert.is(store.out('image', 'import', 'copy.tar'), 'Loaded image: bb:copy\n');
      assert.is(diffIdsOf(store, 'bb:copy'), JSON.stringify([base.diffId, top.diffId]));
    }));

test('save --compress: only the layers of an OCI layout', () =>
  withImage((store) => {
    const { code, stderr } = store.run(['save', '--compress', 'gzip', '-o', 'x.tar', 'bb:1']);
    assert.is(code, 1);
    assert.match(stderr, '--compress gzip: layers are compressed in an OCI layout only; say --format oci');
  }));

test('save to a full disk says which file had no room', () =>
  withImage((store) => {
    const { code, stderr } = store.run(['save', '-o', '/dev/full', 'bb:1']);
    assert.equal([code, stderr], [1, 'tinyrun: write to /dev/full: ENOSPC no space left on device\n']);
  }));

for (const format of ['docker', 'oci'])
  test(`podman loads what save --format ${format} writes, and we what podman saves`, () =>
    withImage((store, id) => {
      if (Bun.which('podman') === null) return skip('podman', 'not installed');
      const folder = mkdtempSync('/tmp/tinyrun-test-');
      const storage = [
        '--root',
        join(folder, 'root'),
        '--runroot',
        join(folder, 'run'),
        '--storage-driver',
        'vfs',
      ];
      const podman = (...args: string[]) => host(['podman', ...storage, ...args], { cwd: store.folder });
      try {
        store.out('save', '--format', format, '-o', 'saved.tar', 'bb:1');
        assert.match(podman('load', '-q', '-i', 'saved.tar'), /Loaded image: docker\.io\/library\/bb:1/);
        assert.is(podman('image', 'inspect', '--format', '{{.Id}}', 'bb:1').trim(), id.slice(7));
        for (const [kind, file] of [
          ['docker-archive', 'd.tar'],
          ['oci-archive', 'o.tar'],
        ] as const) {
          podman('save', '-q', '--format', kind, '-o', file, 'docker.io/library/bb:1');
          store.out('rmi', '-f', id);
          assert.is(store.out('load', '-i', file), 'Loaded image: bb:1\n');
          assert.is(diffIdsOf(store, 'bb:1'), JSON.stringify([base.diffId, top.diffId]));
          assert.is(idOf(store, 'bb:1'), id, kind);
        }
      } finally {
        Bun.spawnSync(['podman', ...storage, 'rmi', '-af']);
        rmSync(folder, { recursive: true, force: true });
      }
    }));

test('umoci unpacks what save --format oci writes', () =>
  withImage((store) => {
    if (Bun.which('umoci') === null) return skip('umoci', 'not installed');
    store.out('save', '--format', 'oci', '-o', 'saved.tar', 'bb:1');
    host(['sh', '-c', 'mkdir out && tar -C out -xf saved.tar'], { cwd: store.folder });
    host(['skopeo', '--insecure-policy', 'copy', '-q', 'oci-archive:saved.tar', 'oci:plain:1'], {
      cwd: store.folder,
    });
    host(['umoci', 'unpack', '--image', 'plain:1', 'bundle'], { cwd: store.folder });
    assert.is(readFileSync(join(store.folder, 'bundle/rootfs/etc/name'), 'utf8'), 'top\n');
    assert.equal(readdirSync(join(store.folder, 'bundle/rootfs/etc')), ['name']);
  }));

test('umoci: a layout that it has made and changed comes in', () =>
  withStore((store) => {
    if (Bun.which('umoci') === null) return skip('umoci', 'not installed');
    const umoci = (...args: string[]) => host(['umoci', ...args], { cwd: store.folder });
    umoci('init', '--layout', 'layout');
    umoci('new', '--image', 'layout:1');
    writeFileSync(join(store.folder, 'file'), 'text\n');
    umoci('insert', '--image', 'layout:1', 'file', '/etc/file');
    umoci('insert', '--image', 'layout:1', '--whiteout', '/etc/file');
    umoci('config', '--image', 'layout:1', '--config.cmd', 'true');
    // A tag alone is no name.
    assert.match(store.out('image', 'import', 'layout'), /^Loaded image ID: sha256:[0-9a-f]{64}\n$/);
    assert.is(store.out('image', 'import', 'layout', 'um'), 'Loaded image: um:latest\n');
    assert.is(JSON.parse(diffIdsOf(store, 'um')).length, 2);
    assert.match(store.out('history', 'um'), /umoci insert/);
  }));

test.run();
