// The layer store on disk: its layout is Docker's (features L7 to L13 of the checklist), and what is in it is what was put
// into it. Needs root.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chainIdOf } from '../../src/image/chain-id.ts';
import {
  containerLayer,
  createContainerLayer,
  removeContainerLayer,
} from '../../src/image/container-layer.ts';
import { withLayersAlone } from '../../src/image/folders.ts';
import { writeLayer } from '../../src/image/layer-archive.ts';
import { removeUnusedLayers } from '../../src/image/layer-remove.ts';
import { findLayer, type Layer, layersOf, listLayers, lowerDirectories } from '../../src/image/layers.ts';
import { type Made, makeTar, messageOf } from '../support/archives.ts';
import { add, inMerged, namesIn, withDataRoot } from '../support/layer-store.ts';

const file = (name: string, data: string): Made => ({ name, data });
const directory = (name: string, mode = 0o755): Made => ({ name: `${name}/`, type: 'directory', mode });
const CONTAINER = 'c'.repeat(64);
const modeOf = (path: string): number => statSync(path).mode & 0o7777;
const none = (): void => {};

test('chainIdOf: the vector of the checklist (L12)', () => {
  const [base, top] = [
    'sha256:6cebf3abed5fac58d2e792ce8461454e92c245d5312c42118f02e231a73b317f',
    'sha256:f7eae43028b334123c3a1d778f7bdf9783bbe651c8b15371df0120fd13ec35c5',
  ];
  assert.is(
    chainIdOf(chainIdOf(undefined, base), top),
    'sha256:8f06e3a624319de717230f0d766dd8922d048441adb9e0387860a8047d000409',
  );
});

test('the layout of overlay2 and layerdb is that of Docker (L7, L8, L9, L13)', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [file('a', 'one')]);
    const middle = await add(root, base, [file('b', 'two!')]);
    const top = await add(root, middle, [file('c', 'three')]);
    const folder = ({ cacheId }: Layer): string => `${root}/overlay2/${cacheId}`;
    assert.equal(namesIn(folder(base)), ['diff', 'link']);
    assert.equal(namesIn(folder(top)), ['diff', 'link', 'lower', 'merged', 'work']);
    assert.is(modeOf(`${root}/overlay2`), 0o710);
    assert.is(modeOf(folder(top)), 0o710);
    const link = (layer: Layer): string => readFileSync(`${folder(layer)}/link`, 'utf8');
    for (const layer of [base, middle, top]) {
      assert.match(link(layer), /^[A-Z2-7]{26}$/);
      assert.is(readlinkSync(`${root}/overlay2/l/${link(layer)}`), `../${layer.cacheId}/diff`);
    }
    assert.is(readFileSync(`${folder(middle)}/lower`, 'utf8'), `l/${link(base)}`);
    assert.is(readFileSync(`${folder(top)}/lower`, 'utf8'), `l/${link(middle)}:l/${link(base)}`);
    const entry = `${root}/image/overlay2/layerdb/sha256/${top.chainId.slice(7)}`;
    assert.equal(namesIn(entry), ['archive-size', 'cache-id', 'diff', 'frame.zst', 'parent', 'size']);
    assert.is(readFileSync(`${entry}/cache-id`, 'utf8'), `${top.cacheId}\n`);
    assert.is(readFileSync(`${entry}/diff`, 'utf8'), top.diffId);
    assert.is(readFileSync(`${entry}/parent`, 'utf8'), middle.chainId);
    assert.is(readFileSync(`${entry}/size`, 'utf8'), '5');
    assert.equal(findLayer(root, top.chainId), top);
    assert.equal(layersOf(root, top.chainId), [base, middle, top]);
    assert.equal(lowerDirectories(root, middle.chainId), [`${folder(middle)}/diff`, `${folder(base)}/diff`]);
    assert.is(findLayer(root, `sha256:${'0'.repeat(64)}`), undefined);
  }));

test('a layer that is there is not read again, and two who add it at once have one', () =>
  withDataRoot(async (root) => {
    const tar = makeTar(file('a', 'one'));
    const layers = await Promise.all([1, 2, 3].map(() => add(root, undefined, tar)));
    assert.is(new Set(layers.map(({ cacheId }) => cacheId)).size, 1);
    assert.equal(namesIn(`${root}/overlay2`), ['l', layers[0]!.cacheId].sort());
    assert.is(namesIn(`${root}/overlay2/l`).length, 1);
    const again = await add(root, undefined, Buffer.from('no archive'), { diffId: layers[0]!.diffId });
    assert.equal(again, layers[0]);
  }));

test('an archive with another digest leaves nothing', () =>
  withDataRoot(async (root) => {
    const diffId = `sha256:${'0'.repeat(64)}`;
    const message = await messageOf(add(root, undefined, [file('a', 'one')], { diffId }));
    assert.match(message, /^the layer's digest is sha256:[0-9a-f]{64}, not sha256:0{64}$/);
    for (const archive of [
      Buffer.from('x'),
      makeTar(file('../a', 'x')),
      makeTar(file('a', 'x')).subarray(0, 700),
    ])
      await messageOf(add(root, undefined, archive));
    assert.equal(namesIn(`${root}/overlay2`), ['l']);
    assert.equal(namesIn(`${root}/overlay2/l`), []);
    assert.equal(listLayers(root), []);
  }));

test('what a killed process has left goes with the next layer, wherever it was killed', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [file('a', 'one')]);
    // Half unpacked; renamed, and its entry still in it; the same on its way out, with its short name.
    const [half, renamed] = ['1'.repeat(64), '2'.repeat(64)];
    mkdirSync(`${root}/overlay2/.tmp-${half}/diff`, { recursive: true });
    mkdirSync(`${root}/overlay2/${renamed}/layerdb`, { recursive: true });
    const link = 'A'.repeat(26);
    writeFileSync(`${root}/overlay2/${renamed}/link`, link);
    symlinkSync(`../${renamed}/diff`, `${root}/overlay2/l/${link}`);
    const top = await add(root, base, [file('b', 'two')]);
    assert.equal(namesIn(`${root}/overlay2`), ['l', base.cacheId, top.cacheId].sort());
    assert.is(namesIn(`${root}/overlay2/l`).length, 2);
  }));

test('whiteouts hide what is below, and nothing else (L4, L5)', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [
      ...['gone', 'again', 'kept'].map((name) => file(name, 'base')),
      directory('opaque'),
      file('opaque/old', 'base'),
      directory('replaced'),
      file('replaced/old', 'base'),
    ]);
    const middle = await add(root, base, [
      file('.wh.gone', ''),
      file('.wh.again', ''),
      directory('opaque'),
      file('opaque/new', 'middle'),
      file('opaque/.wh..wh..opq', ''),
      // A whiteout of what this layer has itself is about the layers below, in whatever order they come.
      file('.wh.replaced', ''),
      directory('replaced'),
      file('replaced/new', 'middle'),
    ]);
    const top = await add(root, middle, [file('again', 'top')]);
    const list = 'grep -r . | sort';
    assert.is(inMerged(root, middle, list), 'kept:base\nopaque/new:middle\nreplaced/new:middle\n');
    assert.match(inMerged(root, top, list), /^again:top$/m);
    const whiteout = lstatSync(`${root}/overlay2/${middle.cacheId}/diff/gone`);
    assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
  }));

test('a whiteout and an entry of one name: the entry stays, in either order', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [directory('d'), file('d/old', ''), file('f', 'base')]);
    const entries: Made[] = [file('d/new', ''), file('f', 'top')];
    const whiteouts: Made[] = [file('.wh.d', ''), file('.wh.f', '')];
    for (const made of [
      [...whiteouts, ...entries],
      [...entries, ...whiteouts],
    ]) {
      const top = await add(root, base, made);
      assert.is(inMerged(root, top, 'find . -type f | sort; cat f'), './d/new\n./f\ntop');
    }
  }));

test('an opaque root hides all that is below', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [file('a', ''), directory('d'), file('d/x', ''), directory('e')]);
    const top = await add(root, base, [file('d/y', ''), file('.wh..wh..opq', ''), file('b', '')]);
    assert.is(inMerged(root, top, 'find . -mindepth 1 | sort'), './b\n./d\n./d/y\n');
  }));

test('directories that an archive does not describe, and the root, are as the layers below have them', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [
      directory('.', 0o711),
      { ...directory('srv', 0o1777), uid: 7, gid: 8 },
      directory('srv/data', 0o700),
      directory('old', 0o700),
    ]);
    const middle = await add(root, base, [file('.wh.old', '')]);
    const top = await add(root, middle, [
      file('srv/data/file', ''),
      file('old/file', ''),
      file('new/file', ''),
    ]);
    const facts = inMerged(root, top, 'stat -c "%n %a %u:%g" srv srv/data old new');
    assert.is(modeOf(`${root}/overlay2/${top.cacheId}/diff`), 0o711);
    assert.is(facts, 'srv 1777 7:8\nsrv/data 700 0:0\nold 755 0:0\nnew 755 0:0\n');
  }));

test('128 layers lie upon each other, and mount', () =>
  withDataRoot(async (root) => {
    let top: Layer | undefined;
    for (let i = 0; i < 128; i++)
      top = await add(root, top, [file(`file-${i}`, ''), file('last', String(i))]);
    const own = createContainerLayer(root, CONTAINER, top!.chainId, none);
    assert.is(own.lowers.length, 129);
    const lower = readFileSync(`${root}/overlay2/${CONTAINER}/lower`, 'utf8');
    // The short names fit into the page that mount(2) takes, seen from overlay2.
    const options = `lowerdir=${lower},upperdir=${CONTAINER}/diff,workdir=${CONTAINER}/work`;
    assert.ok(options.length < 4096, `${options.length} bytes`);
    const script = `cd ${root}/overlay2 && mount -t overlay none -o ${options} ${CONTAINER}/merged && cd ${CONTAINER}/merged && ls | wc -l && cat last`;
    const { stdout, stderr } = Bun.spawnSync(['unshare', '-m', 'sh', '-c', script]);
    assert.is(`${stdout}${stderr}`, '129\n127');
  }));

test('a container has a layer of its own upon an init layer upon the image (L10, L18)', () =>
  withDataRoot(async (root) => {
    const image = await add(root, undefined, [directory('.', 0o711), file('a', '')]);
    const own = createContainerLayer(root, CONTAINER, image.chainId, (diff) => {
      mkdirSync(`/proc/self/fd/${diff}/etc`);
    });
    const folder = `${root}/overlay2/${CONTAINER}`;
    assert.equal(own, {
      upper: `${folder}/diff`,
      work: `${folder}/work`,
      merged: `${folder}/merged`,
      lowers: [`${folder}-init/diff`, `${root}/overlay2/${image.cacheId}/diff`],
    });
    assert.equal(containerLayer(root, CONTAINER, image.chainId), own);
    const lower = readFileSync(`${folder}/lower`, 'utf8').split(':');
    assert.equal(
      lower.map((name) => readlinkSync(`${root}/overlay2/${name}`)),
      [`../${CONTAINER}-init/diff`, `../${image.cacheId}/diff`],
    );
    assert.ok(existsSync(`${folder}-init/diff/etc`));
    assert.is(modeOf(`${folder}/diff`), 0o711);
    assert.throws(() => createContainerLayer(root, CONTAINER, image.chainId, none), /has a layer already/);
    removeContainerLayer(root, CONTAINER);
    removeContainerLayer(root, CONTAINER);
    assert.equal(namesIn(`${root}/overlay2`), ['l', image.cacheId].sort());
    assert.is(namesIn(`${root}/overlay2/l`).length, 1);
  }));

test('a short name goes with its directory, also where a power cut has emptied the file that says it', () =>
  withDataRoot(async (root) => {
    const image = await add(root, undefined, [file('a', 'one')]);
    createContainerLayer(root, CONTAINER, image.chainId, none);
    assert.is(namesIn(`${root}/overlay2/l`).length, 3);
    writeFileSync(`${root}/overlay2/${CONTAINER}/link`, '');
    removeContainerLayer(root, CONTAINER);
    assert.equal(namesIn(`${root}/overlay2/l`), [
      readFileSync(`${root}/overlay2/${image.cacheId}/link`, 'utf8'),
    ]);
  }));

test('a container of an image without layers, or of one whose layer is missing', () =>
  withDataRoot((root) => {
    assert.is(createContainerLayer(root, CONTAINER, undefined, none).lowers.length, 1);
    const other = 'd'.repeat(64);
    const missing = `sha256:${'0'.repeat(64)}`;
    assert.throws(
      () => createContainerLayer(root, other, missing, none),
      /layer does not exist: sha256:0{64}/,
    );
    assert.throws(() => {
      createContainerLayer(root, other, undefined, () => {
        throw new Error('no mount points');
      });
    }, 'no mount points');
    assert.equal(namesIn(`${root}/overlay2`), ['l', CONTAINER, `${CONTAINER}-init`].sort());
  }));

test('removeUnusedLayers: what an image names, what lies below that, and what containers stand on stays', () =>
  withDataRoot(async (root) => {
    const base = await add(root, undefined, [file('a', '12345')]);
    const used = await add(root, base, [file('b', '')]);
    const left = await add(root, base, [file('c', '123')]);
    const upon = await add(root, left, [file('d', '1234567')]);
    const contained = await add(root, undefined, [file('e', '')]);
    createContainerLayer(root, CONTAINER, contained.chainId, none);
    let bytes = 0;
    await withLayersAlone(root, () => {
      bytes = removeUnusedLayers(root, new Set([used.chainId]));
    });
    assert.is(bytes, 10);
    assert.equal(listLayers(root), [base, used, contained].map(({ chainId }) => chainId).sort());
    for (const { cacheId } of [left, upon]) assert.not(existsSync(`${root}/overlay2/${cacheId}`));
    assert.is(namesIn(`${root}/overlay2/l`).length, 5);
    removeContainerLayer(root, CONTAINER);
    await withLayersAlone(root, () => void removeUnusedLayers(root, new Set()));
    assert.equal(listLayers(root), []);
    assert.equal(namesIn(`${root}/overlay2`), ['l']);
    assert.equal(namesIn(`${root}/overlay2/l`), []);
  }));

/** What writeLayer writes of an archive that was added. */
async function writtenAgain(root: string, tar: Uint8Array): Promise<Buffer> {
  const layer = await add(root, undefined, tar);
  assert.is(layer.archiveSize, tar.length);
  const chunks: Uint8Array[] = [];
  await writeLayer(root, layer.chainId, { write: (bytes) => void chunks.push(bytes.slice()) });
  return Buffer.concat(chunks);
}

test('writeLayer: the archive as it came, whoever has made it', () =>
  withDataRoot(async (root) => {
    const tree = `${root}/tree`;
    mkdirSync(`${tree}/sub`, { recursive: true });
    for (let i = 0; i < 50; i++) writeFileSync(`${tree}/sub/${i}`, 'x'.repeat(i * 100));
    Bun.spawnSync([
      'sh',
      '-c',
      `cd ${tree} && ln sub/5 link && truncate -s 5M sparse && printf x >> sparse && mkfifo fifo`,
    ]);
    for (const format of ['posix --sparse', 'gnu --sparse', 'ustar', 'v7 --exclude=fifo']) {
      const { stdout } = Bun.spawnSync(['sh', '-c', `tar --format=${format} -c -C ${tree} .`]);
      assert.ok(stdout.length > 10_000);
      assert.ok((await writtenAgain(root, stdout)).equals(stdout), format);
    }
  }));

test('writeLayer: names of other bytes than ASCII, wherever the pieces that the frame is read in end', () =>
  withDataRoot(async (root) => {
    // Each of these bytes is two in the frame, so half of all places are in the middle of one.
    const tar = makeTar(
      ...Array.from({ length: 4000 }, (_, i) => file(`${'\u00c3'.repeat(80 + (i % 17))}${i}`, `${i}`)),
    );
    assert.ok((await writtenAgain(root, tar)).equals(tar));
  }));

test('writeLayer: also what entries of the same archive have replaced, and bodies that nobody keeps', () =>
  withDataRoot(async (root) => {
    const tar = makeTar(
      file('a', 'first'),
      directory('d'),
      file('d/x', 'in a directory'),
      { name: 'l', type: 'link', link: 'a' },
      file('a', 'second'),
      file('d', 'a file now'),
      file('d', 'another file'),
      directory('d'),
      file('d/x', 'in a directory again'),
      file('.wh.gone', 'a whiteout has no contents'),
      file('.wh..wh.plnk/1.2', "AUFS's own"),
      file('a', 'third'),
    );
    assert.ok((await writtenAgain(root, tar)).equals(tar));
  }));

test('writeLayer: a layer that was changed on disk is told, not written as if it were whole', () =>
  withDataRoot(async (root) => {
    const layer = await add(root, undefined, [file('a', 'one')]);
    writeFileSync(`${root}/overlay2/${layer.cacheId}/diff/a`, 'two');
    const message = await messageOf(writeLayer(root, layer.chainId, { write: none }));
    assert.is(message, `layer ${layer.chainId} is damaged: its files were changed on disk`);
  }));

test.run();
