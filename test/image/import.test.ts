// `image import` of everything that is an image: what comes in, and that nothing comes in by halves. Needs root.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startTinyrun } from '../support/bundle.ts';
import { namesIn, type Store, withStore } from '../support/image-store.ts';
import {
  configOf,
  type Descriptor,
  host,
  json,
  type MadeImage,
  makeDockerArchive,
  makeLayer,
  makeLayout,
  named,
  putBlob,
  putImage,
  putIndex,
  sha256,
} from '../support/oci-layout.ts';

const CONTENT = 'image/overlay2/imagedb/content/sha256';
const LAYERS = 'image/overlay2/layerdb/sha256';

const base = makeLayer({ 'etc/name': 'base\n', 'bin/tool': 'tool\n', 'etc/old': 'old\n' });
const top = makeLayer({ 'etc/name': 'top\n', 'etc/.wh.old': '' });
const image: MadeImage = { layers: [base, top], annotations: named('docker.io/library/bb:latest') };

/** The text of a file in an image's layer, 0 being the base. */
const fileIn = (store: Store, called: string, layer: number, path: string): string =>
  readFileSync(join(diffOf(store, called, layer), path), 'utf8');

function diffOf(store: Store, called: string, layer: number): string {
  const diffIds = JSON.parse(store.out('image', 'inspect', '-f', '{{json .RootFS.Layers}}', called));
  const chainId = store.out('debug', 'chainid', ...diffIds.slice(0, layer + 1)).trim();
  const cacheId = readFileSync(join(store.dataRoot, LAYERS, chainId.slice(7), 'cache-id'), 'utf8').trim();
  return join(store.dataRoot, 'overlay2', cacheId, 'diff');
}

/** Nothing of an import that failed is seen, and nothing stays of it. */
function assertNothing(store: Store, what: string): void {
  assert.equal(namesIn(store, CONTENT), [], what);
  assert.is(store.out('images', '-q'), '', what);
  assert.equal(namesIn(store, LAYERS), [], what);
  assert.equal(
    namesIn(store, 'overlay2').filter((name) => name !== 'l'),
    [],
    what,
  );
}

/** Imports what must be refused. */
function refused(store: Store, args: string[], message: RegExp): void {
  const { code, stderr, stdout } = store.run(['image', 'import', ...args]);
  assert.match(stderr, message);
  assert.is(code, 1, stderr);
  assert.is(stdout, '');
  assert.is(stderr.trim().split('\n').length, 1, 'one line');
  assertNothing(store, stderr);
}

test('import: the tar of a root file system is an image of one layer', () =>
  withStore((store) => {
    writeFileSync(join(store.folder, 'bb.tar'), base.tar);
    const id = store.out('image', 'import', 'bb.tar', 'bb').trim();
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    const [inspect] = JSON.parse(store.out('image', 'inspect', 'bb'));
    assert.is(inspect.Id, id);
    assert.equal(inspect.RepoTags, ['bb:latest']);
    assert.equal(inspect.RootFS.Layers, [base.diffId]);
    assert.is(inspect.Comment, 'Imported from bb.tar');
    assert.is(fileIn(store, 'bb', 0, 'etc/name'), 'base\n');
    // Rows L7 to L9, L11 and L13.
    const folder = inspect.GraphDriver.Data.UpperDir.replace(/\/diff$/, '');
    assert.equal(readdirSync(folder).sort(), ['diff', 'link'].sort(), 'the base has these only');
    const link = readFileSync(join(folder, 'link'), 'utf8');
    assert.match(link, /^[A-Z2-7]{26}$/);
    assert.equal(namesIn(store, 'overlay2/l'), [link]);
    assert.is(statSync(join(store.dataRoot, 'overlay2')).mode & 0o777, 0o710);
    const config = JSON.parse(readFileSync(join(store.dataRoot, CONTENT, id.slice(7)), 'utf8'));
    assert.is(config.rootfs.type, 'layers');
    assert.equal(config.rootfs.diff_ids, [base.diffId]);
    const cacheId = readFileSync(
      join(store.dataRoot, LAYERS, base.diffId.slice(7), 'cache-id'),
      'utf8',
    ).trim();
    assert.ok(existsSync(join(store.dataRoot, 'overlay2', cacheId, 'diff')));
  }));

test('import: the tar of a root file system is for Linux, and whiteouts in it hide nothing', () =>
  withStore((store) => {
    writeFileSync(join(store.folder, 'bb.tar'), top.tar);
    refused(
      store,
      ['--platform', 'windows/amd64', 'bb.tar'],
      /^tinyrun: --platform windows\/amd64: operating system is not supported; containers are Linux here: /,
    );
    store.out('image', 'import', '--platform', 'linux/s390x', 'bb.tar', 'bb');
    assert.is(store.out('image', 'inspect', '-f', '{{.Architecture}}', 'bb'), 's390x\n');
    assert.is(fileIn(store, 'bb', 0, 'etc/name'), 'top\n');
    const whiteout = statSync(join(diffOf(store, 'bb', 0), 'etc/old'));
    assert.equal([whiteout.isCharacterDevice(), whiteout.rdev], [true, 0]);
  }));

test('import: what is wrong is told with the name of the archive, once', () =>
  withStore((store) => {
    writeFileSync(join(store.folder, 'a.xz'), new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]));
    refused(
      store,
      ['a.xz'],
      /^tinyrun: import a.xz: the archive is compressed with xz, which is not supported; /,
    );
    mkdirSync(join(store.folder, 'names'));
    for (const file of ['manifest.json', 'a\nb']) writeFileSync(join(store.folder, 'names', file), '[]');
    host(['tar', '-C', 'names', '-cf', 'none.tar', 'manifest.json'], { cwd: store.folder });
    refused(store, ['none.tar'], /^tinyrun: import none.tar: it has neither a manifest.json of Docker nor /);
    const long = 'x'.repeat(300);
    host(['tar', '-C', 'names', '-cf', 'long.tar', `--transform=s/.*/${long}/`, 'a\nb'], {
      cwd: store.folder,
    });
    refused(
      store,
      ['long.tar'],
      new RegExp(`^tinyrun: import long.tar into [^ ]+: unpack ${long}: make the file: ENAMETOOLONG `),
    );
    host(['tar', '-C', 'names', '-cf', 'line.tar', '--transform=s/a/..\\/a/', 'a\nb'], { cwd: store.folder });
    refused(store, ['line.tar'], /^tinyrun: import line.tar: unpack \.\.\/a\\nb: /);
  }));

test('import: of the same kind, compressed, from standard input, with changes', () =>
  withStore(async (store) => {
    for (const [name, bytes] of Object.entries({
      plain: base.tar,
      gzip: gzipSync(base.tar),
      zstd: zstdCompressSync(base.tar),
    })) {
      writeFileSync(join(store.folder, name), bytes);
      store.out('image', 'import', name, `file-${name}`);
      const done = Bun.spawnSync(
        [
          'sh',
          '-c',
          `cat ${name} | "$0" "$@"`,
          ...commandOf(store),
          'import',
          '-c',
          'CMD ["sh"]',
          '-c',
          'ENV a=b',
          '-m',
          'hello',
          '-',
          `stdin-${name}`,
        ],
        { cwd: store.folder },
      );
      assert.is(done.exitCode, 0, done.stderr.toString());
      const [file, stdin] = JSON.parse(store.out('image', 'inspect', `file-${name}`, `stdin-${name}`));
      assert.equal(file.RootFS.Layers, [base.diffId]);
      assert.equal(stdin.RootFS.Layers, [base.diffId]);
      assert.equal(stdin.Config, { Cmd: ['sh'], Env: ['a=b'] });
      assert.is(stdin.Comment, 'hello');
    }
    assert.is(namesIn(store, LAYERS).length, 1, 'all share one layer');
  }));

const commandOf = (store: Store): string[] => [
  join(import.meta.dir, '../../dist/tinyrun'),
  ...['--root', join(store.dataRoot, '../root'), '--data-root', store.dataRoot],
];

for (const compression of [undefined, 'gzip', 'zstd'] as const)
  test(`import: an OCI layout, ${compression ?? 'uncompressed'}, as a directory, a tar, and a tar on standard input`, () =>
    withStore((store) => {
      makeLayout(join(store.folder, 'layout'), { ...image, ...(compression && { compression }) });
      assert.is(store.out('image', 'import', 'layout'), 'Loaded image: bb:latest\n');
      const before = store.out('image', 'inspect', 'bb');
      assert.is(JSON.parse(before)[0].Id, sha256(configOf(image)));
      assert.is(fileIn(store, 'bb', 1, 'etc/name'), 'top\n');
      assert.is(statSync(join(diffOf(store, 'bb', 1), 'etc/old')).rdev, 0, 'a whiteout');
      host(['tar', '-C', join(store.folder, 'layout'), '-cf', join(store.folder, 'layout.tar'), '.']);
      host(['sh', '-c', 'gzip -k layout.tar'], { cwd: store.folder });
      for (const file of ['layout.tar', 'layout.tar.gz']) {
        store.out('rmi', 'bb');
        assert.equal(namesIn(store, LAYERS), []);
        assert.is(store.out('load', '-i', file), 'Loaded image: bb:latest\n', file);
        store.out('rmi', 'bb');
        const done = Bun.spawnSync(['sh', '-c', `cat ${file} | "$0" "$@"`, ...commandOf(store), 'load'], {
          cwd: store.folder,
        });
        assert.is(done.stdout.toString(), 'Loaded image: bb:latest\n', done.stderr.toString());
        assert.is(store.out('images', '-q', '--no-trunc').trim(), JSON.parse(before)[0].Id);
      }
    }));

test('import: an archive of docker save, the manifest at its end', () =>
  withStore((store) => {
    const file = join(store.folder, 'bb.tar');
    mkdirSync(join(store.folder, 'parts'));
    makeDockerArchive(join(store.folder, 'parts'), file, image, ['bb:latest', 'other/bb:2']);
    assert.is(store.out('image', 'import', 'bb.tar'), 'Loaded image: bb:latest\nLoaded image: other/bb:2\n');
    assert.is(JSON.parse(store.out('image', 'inspect', 'bb'))[0].Id, sha256(configOf(image)));
    const done = Bun.spawnSync(
      ['sh', '-c', 'zstd -qc bb.tar | "$0" "$@"', ...commandOf(store), 'import', '-', 'renamed'],
      { cwd: store.folder },
    );
    assert.is(done.stdout.toString(), 'Loaded image: renamed:latest\n', done.stderr.toString());
  }));

test('import: a name in an archive that is none is told', () =>
  withStore((store) => {
    mkdirSync(join(store.folder, 'parts'));
    makeDockerArchive(join(store.folder, 'parts'), join(store.folder, 'bb.tar'), image, ['Bb:latest']);
    refused(
      store,
      ['bb.tar'],
      /"Bb:latest" in manifest\.json is no name of an image; name it on the command line/,
    );
  }));

test('import: layers that are links to others, as docker save wrote them', () =>
  withStore((store) => {
    const parts = join(store.folder, 'parts');
    mkdirSync(parts);
    const other = makeLayer({ x: 'x' });
    makeDockerArchive(parts, join(store.folder, 'a.tar'), { layers: [base, other] }, ['a:1']);
    const [one, two] = [base, other].map(({ diffId }) => diffId.slice(7));
    // The second image has the base again, as a link from another folder.
    mkdirSync(join(parts, 'again'));
    host(['ln', '-s', `../${one}/layer.tar`, join(parts, 'again/layer.tar')]);
    const config = configOf({ layers: [base] });
    writeFileSync(join(parts, 'b.json'), config);
    const [first] = JSON.parse(readFileSync(join(parts, 'manifest.json'), 'utf8'));
    const manifest = [first, { Config: 'b.json', RepoTags: ['b:1'], Layers: ['again/layer.tar'] }];
    writeFileSync(join(parts, 'manifest.json'), json(manifest));
    host([
      'tar',
      '-C',
      parts,
      '-cf',
      join(store.folder, 'both.tar'),
      one!,
      two!,
      'again',
      first.Config,
      'b.json',
      'manifest.json',
    ]);
    assert.is(store.out('load', '-i', 'both.tar'), 'Loaded image: a:1\nLoaded image: b:1\n');
    assert.is(namesIn(store, LAYERS).length, 2, 'the base is shared');
  }));

test('import: of several images one can be chosen by its name', () =>
  withStore((store) => {
    const other: MadeImage = { layers: [base], annotations: named('docker.io/library/other:1') };
    makeLayout(join(store.folder, 'layout'), image, other);
    refused(
      store,
      ['layout', 'nosuch'],
      /has 2 images, and none is named nosuch:latest; they are bb:latest, other:1/,
    );
    assert.is(store.out('image', 'import', 'layout', 'other:1'), 'Loaded image: other:1\n');
    assert.is(store.out('image', 'import', 'layout'), 'Loaded image: bb:latest\nLoaded image: other:1\n');
  }));

test('import: an index for several platforms, nested, with attestations', () =>
  withStore((store) => {
    const layout = join(store.folder, 'layout');
    const platforms = ['amd64', 'arm64'];
    const manifests = platforms.map((architecture) =>
      putImage(layout, { layers: [base], config: { architecture }, platform: { os: 'linux', architecture } }),
    );
    const attestation: Descriptor = {
      ...putImage(layout, { layers: [top], platform: { os: 'unknown', architecture: 'unknown' } }),
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    };
    const index = json({ schemaVersion: 2, manifests: [attestation, ...manifests] });
    const nested = putBlob(layout, 'application/vnd.oci.image.index.v1+json', index);
    putIndex(layout, [{ ...nested, annotations: named('docker.io/library/multi:1') }]);
    const architectureOf = () => store.out('image', 'inspect', '-f', '{{.Architecture}}', 'multi:1').trim();
    store.out('image', 'import', 'layout');
    assert.is(architectureOf(), process.arch === 'arm64' ? 'arm64' : 'amd64');
    for (const architecture of platforms) {
      store.out('image', 'import', '--platform', `linux/${architecture}`, 'layout');
      assert.is(architectureOf(), architecture);
    }
    const { stderr } = store.run(['image', 'import', '--platform', 'linux/s390x', 'layout']);
    assert.match(
      stderr,
      /no matching manifest for linux\/s390x in the manifest list entries; it has linux\/amd64, linux\/arm64/,
    );
    // The digest is that of the index, by which a registry knows it.
    assert.is(store.out('images', '--digests', '--format', '{{.Digest}}', 'multi').trim(), nested.digest);
  }));

test('import: indexes nested without end are refused', () =>
  withStore((store) => {
    const layout = join(store.folder, 'layout');
    let inner = putImage(layout, { layers: [base] });
    for (let i = 0; i < 6; i++)
      inner = putBlob(
        layout,
        'application/vnd.oci.image.index.v1+json',
        json({ schemaVersion: 2, manifests: [inner] }),
      );
    putIndex(layout, [inner]);
    refused(store, ['layout'], /indexes are nested deeper than 4/);
  }));

/** What is wrong with a layout, and how it is told. */
const WRONG: Record<string, [damage: (layout: string) => void, message: RegExp]> = {
  'a config with another digest': [
    (layout) => damageBlob(layout, configOf(image), (bytes) => bytes.with(30, 0x20)),
    /config blobs\/sha256\/.*: its digest is sha256:[0-9a-f]{64}, not sha256:/,
  ],
  'a layer with another digest': [
    (layout) => damageBlob(layout, top.tar, (bytes) => bytes.with(Buffer.from(bytes).indexOf('top\n'), 0x54)),
    /layer blobs\/sha256\/[0-9a-f]{64} has another digest: sha256:/,
  ],
  'a layer that is cut off': [
    (layout) => damageBlob(layout, top.tar, (bytes) => bytes.subarray(0, 1000)),
    /cut off|has 1000 bytes/,
  ],
  'a layer that is too long': [
    (layout) => damageBlob(layout, top.tar, (bytes) => Buffer.concat([bytes, new Uint8Array(512)])),
    /has \d+ bytes, not \d+|digest/,
  ],
  'a layer that is missing': [
    (layout) => rmSync(join(layout, 'blobs', top.diffId.replace(':', '/'))),
    /blobs\/sha256\/[0-9a-f]{64} is missing/,
  ],
  'a manifest that is missing': [
    (layout) => {
      const [{ digest }] = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests;
      rmSync(join(layout, 'blobs', digest.replace(':', '/')));
    },
    /blobs\/sha256\/[0-9a-f]{64} is missing/,
  ],
  'a blob that is a link to a file of the host': [
    (layout) => {
      const path = join(layout, 'blobs', sha256(configOf(image)).replace(':', '/'));
      rmSync(path);
      host(['ln', '-s', '/etc/passwd', path]);
    },
    /ELOOP/,
  ],
  'another version of the layout': [
    (layout) => writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '2.0.0' })),
    /version "2.0.0" is not supported/,
  ],
  'an index that is no JSON': [
    (layout) => writeFileSync(join(layout, 'index.json'), '{'),
    /index\.json: line 1, column 2/,
  ],
  'an index without images': [
    (layout) => writeFileSync(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [] })),
    /it has no image/,
  ],
};

function damageBlob(layout: string, contents: Uint8Array, change: (bytes: Uint8Array) => Uint8Array): void {
  writeFileSync(join(layout, 'blobs', sha256(contents).replace(':', '/')), change(contents));
}

for (const [what, [damage, message]] of Object.entries(WRONG))
  test(`import: refuses a layout with ${what}`, () =>
    withStore((store) => {
      makeLayout(join(store.folder, 'layout'), image);
      damage(join(store.folder, 'layout'));
      refused(store, ['layout'], message);
    }));

/** Images that are wrong in themselves. */
const BAD_IMAGES: Record<string, [image: Partial<MadeImage>, message: RegExp]> = {
  "a diff id that is not its layer's": [
    { config: { rootfs: { type: 'layers', diff_ids: [base.diffId, base.diffId] } } },
    /sha256:[0-9a-f]{64}/,
  ],
  'more diff ids than layers': [
    { config: { rootfs: { type: 'layers', diff_ids: [base.diffId, top.diffId, base.diffId] } } },
    /it has 3 diff ids, but there are 2 layers/,
  ],
  'another system than Linux': [{ config: { os: 'windows' } }, /the image is for windows, not for linux/],
  'a foreign layer': [
    {
      manifest: (manifest) => ({
        ...manifest,
        layers: [
          { ...manifest.layers[0], mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' },
        ],
      }),
    },
    /is foreign/,
  ],
  'a layer of an unknown kind': [
    {
      manifest: (manifest) => ({
        ...manifest,
        layers: [{ ...manifest.layers[0], mediaType: 'application/x-lzma' }],
      }),
    },
    /has the media type "application\/x-lzma", which is not supported/,
  ],
};

for (const [what, [change, message]] of Object.entries(BAD_IMAGES))
  test(`import: refuses an image with ${what}`, () =>
    withStore((store) => {
      makeLayout(join(store.folder, 'layout'), { ...image, ...change });
      refused(store, ['layout'], message);
    }));

test('import: what is no image is told', () =>
  withStore((store) => {
    writeFileSync(
      join(store.folder, 'text'),
      'no archive at all, but a text that is longer than nothing\n'.repeat(20),
    );
    writeFileSync(join(store.folder, 'empty'), '');
    writeFileSync(join(store.folder, 'cut.tar.gz'), gzipSync(base.tar).subarray(0, 100));
    mkdirSync(join(store.folder, 'directory'));
    refused(store, ['nosuch.tar'], /open nosuch\.tar: ENOENT/);
    refused(store, ['text'], /import text: .*the header is damaged.*is it a tar archive/);
    refused(store, ['empty'], /cut off/);
    refused(store, ['cut.tar.gz'], /decompress the archive \(gzip\)|cut off/);
    refused(store, ['directory'], /is a directory without oci-layout/);
    refused(
      store,
      ['text', 'Bb'],
      /^tinyrun: invalid reference format: repository name \(library\/Bb\) must be lowercase/,
    );
    refused(store, ['https://example.org/x.tar'], /is not fetched/);
    writeFileSync(join(store.folder, 'bb.tar'), base.tar);
    refused(store, ['-c', 'RUN x', 'bb.tar'], /"RUN" is not a valid change command/);
  }));

test('import: an archive whose kind shows late is begun anew, or asked for as a file', () =>
  withStore((store) => {
    const parts = join(store.folder, 'parts');
    mkdirSync(parts);
    makeDockerArchive(parts, join(store.folder, 'x.tar'), { layers: [base] }, ['late:1']);
    const [{ Config, Layers }] = JSON.parse(readFileSync(join(parts, 'manifest.json'), 'utf8'));
    host(['sh', '-c', `mv ${Layers[0]} layer.tar; mv ${Config} config.json`], { cwd: parts });
    writeFileSync(
      join(parts, 'manifest.json'),
      json([{ Config: 'config.json', RepoTags: ['late:1'], Layers: ['layer.tar'] }]),
    );
    host([
      'tar',
      '-C',
      parts,
      '-cf',
      join(store.folder, 'late.tar'),
      'layer.tar',
      'config.json',
      'manifest.json',
    ]);
    const done = Bun.spawnSync(['sh', '-c', 'cat late.tar | "$0" "$@"', ...commandOf(store), 'load'], {
      cwd: store.folder,
    });
    assert.match(
      done.stderr.toString(),
      /it is an image archive, which showed only behind files of another kind; write it to a file/,
    );
    assert.is(done.exitCode, 1);
    assert.is(store.out('load', '-i', 'late.tar'), 'Loaded image: late:1\n');
  }));

test('import: a root file system may have a manifest.json of its own', () =>
  withStore((store) => {
    const layer = makeLayer({ 'app/main.js': '1', 'manifest.json': '{"name":"app"}' });
    writeFileSync(join(store.folder, 'app.tar'), layer.tar);
    store.out('import', 'app.tar', 'app');
    assert.equal(JSON.parse(store.out('image', 'inspect', 'app'))[0].RootFS.Layers, [layer.diffId]);
  }));

test('import: a name that another image had is said to be taken from it', () =>
  withStore((store) => {
    makeLayout(join(store.folder, 'one'), image);
    makeLayout(join(store.folder, 'two'), { ...image, layers: [base] });
    store.out('import', 'one');
    const old = store.out('images', '-q', '--no-trunc').trim();
    assert.is(
      store.out('import', 'two'),
      `The image bb:latest already exists, renaming the old one with ID ${old} to empty string\nLoaded image: bb:latest\n`,
    );
    assert.is(store.out('images', '-f', 'dangling=true', '-q', '--no-trunc').trim(), old);
  }));

/** The most memory that a process has had so far, in kB: proc_pid_status(5); 0 where it is gone. */
function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test('import: an archive of 200 MB from a pipe takes less than 150 MB of memory', () =>
  withStore(async (store) => {
    const big = makeLayer({ 'data/one': 120_000_000, 'data/two': 80_000_000 });
    makeLayout(join(store.folder, 'layout'), { ...image, layers: [big] });
    // index.json comes last.
    host(['sh', '-c', 'tar -C layout -cf big.tar blobs oci-layout index.json && rm -r layout'], {
      cwd: store.folder,
    });
    const { stdout: archive } = Bun.spawn(['cat', 'big.tar'], { cwd: store.folder });
    const child = Bun.spawn([...commandOf(store), 'load'], { stdin: archive, stdout: 'pipe' });
    let peak = 0;
    while (child.exitCode === null) {
      peak = Math.max(peak, peakOf(child.pid));
      await Bun.sleep(5);
    }
    assert.is(await new Response(child.stdout).text(), 'Loaded image: bb:latest\n');
    assert.ok(peak > 10_000 && peak < 150_000, `${peak} kB`);
    assert.is(store.out('images', '--format', '{{.Size}}'), '200MB\n');
  }));

test('import: on a terminal a line shows how far it is, and goes at the end', () =>
  withStore((store) => {
    makeLayout(join(store.folder, 'layout'), { ...image, layers: [makeLayer({ 'data/one': 250_000_000 })] });
    const words = [...commandOf(store), 'image', 'import'].join(' ');
    const typed = (more: string): string =>
      Bun.spawnSync(['script', '-qec', `${words} ${more}`, '/dev/null'], {
        cwd: store.folder,
        stdin: 'ignore',
      }).stdout.toString();
    assert.match(
      typed('layout').replaceAll('\x1b[K', '<clear>'),
      /\rimport bb:latest: [\d.]+ [kM]B of 250 MB, [\d.]+ [kM]B\/s, (\d+ min )?\d+ s left<clear>.*\r<clear>Loaded image: bb:latest\r\n$/s,
    );
    store.out('rmi', 'bb');
    assert.is(typed('-q layout'), 'Loaded image: bb:latest\r\n');
  }));

test('import: a disk that gets full is told, and nothing stays', () =>
  withStore((store) => {
    const big = makeLayer({ 'data/one': 3_000_000 });
    makeLayout(join(store.folder, 'layout'), { ...image, layers: [big] });
    host(['sh', '-c', 'tar -C layout -cf layout.tar blobs oci-layout index.json'], { cwd: store.folder });
    writeFileSync(join(store.folder, 'root.tar'), big.tar);
    mkdirSync(store.dataRoot);
    // In a mount namespace of its own: the small filesystem goes with it.
    const onSmallDisk = (script: string): string => {
      const mounted = `mount -t tmpfs -o size=2m none ${store.dataRoot} && ${script}; "$0" "$@" images -aq; ls ${store.dataRoot}/overlay2`;
      const done = Bun.spawnSync(['unshare', '-m', 'sh', '-c', mounted, ...commandOf(store)], {
        cwd: store.folder,
      });
      return `${done.stderr}${done.stdout}`;
    };
    const pipe = onSmallDisk('cat layout.tar | "$0" "$@" load');
    assert.match(
      pipe,
      /^tinyrun: keep standard input in .* while it is imported: ENOSPC no space left on device; an archive in a file, not compressed, is read where it is\nl\n$/,
    );
    for (const words of ['load -i layout.tar', 'import root.tar root'])
      assert.match(
        onSmallDisk(`"$0" "$@" ${words}`),
        /^tinyrun: import [^\n]*data\/one[^\n]*ENOSPC[^\n]*; see `tinyrun df`, [^\n]*\nl\n$/,
        words,
      );
  }));

test('import: killed at any moment, nothing half-made is seen, and the next command cleans up', () =>
  withStore(async (store) => {
    const big = makeLayer(
      Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`d${i % 40}/f${i}`, 2000])),
    );
    makeLayout(join(store.folder, 'layout'), { ...image, layers: [big, base, top], compression: 'gzip' });
    const place = { dir: store.folder, root: join(store.dataRoot, '../root'), dataRoot: store.dataRoot };
    for (let i = 0; i < 12; i++) {
      const child = startTinyrun(place, ['image', 'import', 'layout']);
      await Bun.sleep(20 + i * 35);
      child.kill('SIGKILL');
      await child.exited;
      const ids = store.out('images', '-q', '--no-trunc').trim();
      if (ids !== '') store.out('rmi', '-f', ids);
      store.out('image', 'prune', '-f');
      assert.equal(namesIn(store, LAYERS), [], `round ${i}`);
      assert.equal(namesIn(store, 'overlay2'), ['l'], `round ${i}`);
      assert.equal(namesIn(store, 'overlay2/l'), [], `round ${i}`);
    }
    assert.is(store.out('image', 'import', 'layout'), 'Loaded image: bb:latest\n');
  }));

test.run();
