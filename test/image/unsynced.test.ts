// Layers that were unpacked in another boot of the kernel, and not synced: before they are used they are unpacked anew, or refused
// where a power cut has damaged them. Here the power cut is made of their mark and of what it may leave. Needs root.

import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bootId } from '../../src/disk/boot-id.ts';
import { keepingLayers, withLayersAlone } from '../../src/image/folders.ts';
import { writeLayer } from '../../src/image/layer-archive.ts';
import { removeUnusedLayers } from '../../src/image/layer-remove.ts';
import { findLayer, type Layer, layerFolder } from '../../src/image/layers.ts';
import { settleLayers, syncOldLayers } from '../../src/image/unsynced.ts';
import { type Made, messageOf } from '../support/archives.ts';
import { add, namesIn, withDataRoot } from '../support/layer-store.ts';
import { busybox, makeImage, withStore, writeFiles } from '../support/store.ts';

const OTHER_BOOT = '00000000-1111-2222-3333-444444444444';

const BASE: readonly Made[] = [
  { name: 'd/', type: 'directory', mode: 0o750 },
  { name: 'd/a', data: 'one' },
  { name: 'd/twice', data: 'first' },
  { name: 'd/twice', data: 'second' },
];
const UPPER: readonly Made[] = [
  { name: 'd/.wh.a', data: '' },
  { name: 'e', data: 'new', mode: 0o4755, uid: 7, gid: 8 },
];

const marks = (root: string): string => `${root}/image/overlay2/unsynced`;
/** What the marks of this boot would be to the next one. */
const reboot = (root: string): void =>
  renameSync(`${marks(root)}/${bootId()}`, `${marks(root)}/${OTHER_BOOT}`);
const inodeOf = (path: string): number => statSync(path).ino;

/** Two layers, and the kernel is another one since. */
async function withDoubtful(use: (root: string, base: Layer, upper: Layer) => Promise<void>): Promise<void> {
  await withDataRoot(async (root) => {
    const base = await add(root, undefined, BASE);
    const upper = await add(root, base, UPPER);
    reboot(root);
    await use(root, base, upper);
  });
}

test('a new layer has the mark of this boot', () =>
  withDataRoot(async (root) => {
    const layer = await add(root, undefined, BASE);
    assert.equal(namesIn(`${marks(root)}/${bootId()}`), [layer.chainId.slice(7)]);
  }));

test('layers of this boot are used as they are', () =>
  withDataRoot(async (root) => {
    const layer = await add(root, undefined, BASE);
    const before = inodeOf(`${layerFolder(root, layer)}/diff/d/a`);
    await settleLayers(root, layer.chainId);
    assert.is(inodeOf(`${layerFolder(root, layer)}/diff/d/a`), before);
  }));

test('layers of another boot are unpacked anew, once, in the same place', () =>
  withDoubtful(async (root, base, upper) => {
    const file = `${layerFolder(root, base)}/diff/d/a`;
    const before = inodeOf(file);
    await settleLayers(root, upper.chainId);
    const after = inodeOf(file);
    assert.is.not(after, before);
    assert.equal(namesIn(marks(root)), [bootId()]);
    await settleLayers(root, upper.chainId);
    assert.is(inodeOf(file), after);
    assert.equal([findLayer(root, base.chainId), findLayer(root, upper.chainId)], [base, upper]);
    for (const { chainId } of [base, upper]) await writeLayer(root, chainId, { write() {} });
    assert.is(namesIn(`${root}/overlay2`).length, 3);
  }));

test('what was not on the disk of their attributes is there again', () =>
  withDoubtful(async (root, base, upper) => {
    const [d, e] = [`${layerFolder(root, base)}/diff/d`, `${layerFolder(root, upper)}/diff/e`];
    chmodSync(d, 0o700);
    lchownSync(e, 0, 0);
    await settleLayers(root, upper.chainId);
    const { mode, uid, gid } = statSync(e);
    assert.equal([mode & 0o7777, uid, gid, statSync(d).mode & 0o7777], [0o4755, 7, 8, 0o750]);
  }));

test('only those that are used are looked at', () =>
  withDoubtful(async (root, base, upper) => {
    truncateSync(`${layerFolder(root, upper)}/diff/e`);
    await settleLayers(root, base.chainId);
    assert.equal(namesIn(`${marks(root)}/${OTHER_BOOT}`), [upper.chainId.slice(7)]);
  }));

for (const [damage, harm] of [
  ['a file that is empty', (diff: string) => truncateSync(`${diff}/e`)],
  ['a file that is missing', (diff: string) => renameSync(`${diff}/e`, `${diff}/f`)],
  ['a file of zeros', (diff: string) => writeFileSync(`${diff}/e`, '\0\0\0')],
] as const)
  test(`${damage} is told, and mended by the next import`, () =>
    withDoubtful(async (root, base, upper) => {
      const diff = `${layerFolder(root, upper)}/diff`;
      harm(diff);
      const message = await messageOf(settleLayers(root, upper.chainId));
      assert.ok(
        message.startsWith(`layer ${upper.chainId} is damaged: the host stopped before all of it was`),
        message,
      );
      assert.is(namesIn(`${root}/overlay2`).length, 3);
      assert.equal(await add(root, base, UPPER, { diffId: upper.diffId }), upper);
      assert.is(readFileSync(`${diff}/e`, 'utf8'), 'new');
      await settleLayers(root, upper.chainId);
    }));

test('a full disk is told as such: the layer may be whole', () =>
  withDataRoot(async (root) => {
    const mount = (...words: string[]) => assert.is(Bun.spawnSync(words).exitCode, 0, words.join(' '));
    mount('mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', root);
    try {
      const layer = await add(root, undefined, [{ name: 'large', data: 'x'.repeat(2 ** 21) }]);
      reboot(root);
      const message = await messageOf(settleLayers(root, layer.chainId));
      assert.match(message, new RegExp(`^unpack layer ${layer.chainId} anew: the host stopped .*: ENOSPC `));
      mount('mount', '-o', 'remount,size=6m', root);
      await settleLayers(root, layer.chainId);
      assert.equal(namesIn(marks(root)), [bootId()]);
    } finally {
      mount('umount', root);
    }
  }));

test('two processes that settle the same layers do it one after the other', () =>
  withDoubtful(async (root, _, upper) => {
    const script = `
      const { settleLayers } = await import(${JSON.stringify(new URL('../../src/image/unsynced.ts', import.meta.url).pathname)});
      await settleLayers(${JSON.stringify(root)}, ${JSON.stringify(upper.chainId)});
    `;
    const children = Array.from({ length: 4 }, () => Bun.spawn([process.execPath, '-e', script]));
    assert.equal(await Promise.all(children.map((child) => child.exited)), [0, 0, 0, 0]);
    assert.equal(namesIn(marks(root)), [bootId()]);
    assert.is(namesIn(`${root}/overlay2`).length, 3);
  }));

test('layers that are gone have no marks', () =>
  withDoubtful(async (root) => {
    await withLayersAlone(root, () => {
      removeUnusedLayers(root, new Set());
    });
    assert.equal(namesIn(marks(root)), []);
  }));

test('the next import syncs what was unpacked a minute ago', () =>
  withDataRoot(async (root) => {
    await add(root, undefined, BASE);
    const own = `${marks(root)}/${bootId()}`;
    await keepingLayers(root, () => syncOldLayers(root));
    assert.is(namesIn(own).length, 1);
    const minuteAgo = Date.now() / 1000 - 61;
    utimesSync(own, minuteAgo, minuteAgo);
    await keepingLayers(root, () => syncOldLayers(root));
    assert.equal(namesIn(own), []);
  }));

test('containers, image volumes and image mounts stand on layers that are whole', () =>
  withStore(async (store) => {
    const { dataRoot, t, out } = store;
    await makeImage(store, 'data', (diff) => {
      busybox(diff);
      writeFiles(diff, { 'x/file': 'text\n' });
    });
    out('create', '--name', 'made', 'data', 'cat', '/x/file');
    const file = readdirSync(`${dataRoot}/overlay2`)
      .map((name) => `${dataRoot}/overlay2/${name}/diff/x/file`)
      .find(existsSync)!;
    const doubtAll = (): void => {
      rmSync(marks(dataRoot), { recursive: true, force: true });
      mkdirSync(`${marks(dataRoot)}/${OTHER_BOOT}`, { recursive: true });
      for (const chain of readdirSync(`${dataRoot}/image/overlay2/layerdb/sha256`))
        writeFileSync(`${marks(dataRoot)}/${OTHER_BOOT}/${chain}`, '');
    };
    const mount = 'type=image,source=data,target=/m';
    for (const words of [
      ['run', '--rm', 'data', 'true'],
      ['create', '--name', 'another', 'data'],
      ['start', 'made'],
      ['cp', 'another:/x/file', '-'],
      ['run', '--rm', '--mount', mount, 'bb', 'cat', '/m/x/file'],
      ['volume', 'create', '-d', 'image', '-o', 'image=data', 'v'],
      ['run', '--rm', '-v', 'v:/m', 'bb', 'cat', '/m/x/file'],
    ]) {
      doubtAll();
      const before = inodeOf(file);
      out(...words);
      assert.is.not(inodeOf(file), before, words.join(' '));
    }
    out('volume', 'rm', 'v');
    doubtAll();
    truncateSync(file);
    const { code, stderr } = t('run', '--rm', 'data', 'true');
    assert.is(code, 125);
    assert.match(
      stderr,
      /layer sha256:[0-9a-f]{64} is damaged: the host stopped .*; remove the images that use it/,
    );
  }));

test.run();
