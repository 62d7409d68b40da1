// addLayer and removeUnusedLayers, killed at every call that changes something: the layer is there and whole, or not there,
// and the next one who adds it leaves no trace of the first. strace(1) does the killing. Needs root.

import { rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withLayersAlone } from '../../src/image/folders.ts';
import { writeLayer } from '../../src/image/layer-archive.ts';
import { removeUnusedLayers } from '../../src/image/layer-remove.ts';
import { listLayers } from '../../src/image/layers.ts';
import { type Made, makeTar } from '../support/archives.ts';
import { all } from '../support/killed.ts';
import { add, namesIn, withDataRoot } from '../support/layer-store.ts';
import { skip } from '../support/skip.ts';

const CALLS = [
  ...['mkdirat', 'renameat2', 'symlinkat', 'unlinkat', 'mknodat', 'linkat', 'pwrite64'],
  ...['ftruncate', 'fchmod', 'fsync', 'syncfs', 'setxattr', 'flock'],
].join(',');

const BASE: readonly Made[] = [
  { name: 'd/', type: 'directory', mode: 0o755 },
  { name: 'd/a', data: 'one' },
];
const UPPER: readonly Made[] = [
  { name: 'd/b', data: 'two' },
  { name: 'd/.wh.a', data: '' },
  { name: 'd/b', data: 'two again' },
];

const module = (path: string): string => JSON.stringify(new URL(`../../${path}`, import.meta.url).pathname);
const preamble = `
  const { add } = await import(${module('test/support/layer-store.ts')});
  const { withLayersAlone } = await import(${module('src/image/folders.ts')});
  const { removeUnusedLayers } = await import(${module('src/image/layer-remove.ts')});
  const root = process.argv[1];
  const [base, upper] = ${JSON.stringify([BASE, UPPER])};
`;

/** Runs a script, killed at the call of this number. Returns how many calls there were. */
function runTraced(root: string, script: string, killAt?: number): number {
  const inject = killAt === undefined ? [] : ['-e', `inject=${CALLS}:signal=KILL:when=${killAt}`];
  const { stderr } = Bun.spawnSync(
    [
      'strace',
      '-f',
      '-qq',
      '-e',
      `trace=${CALLS}`,
      ...inject,
      process.execPath,
      '-e',
      preamble + script,
      root,
    ],
    { stdout: 'ignore' },
  );
  return stderr
    .toString()
    .split('\n')
    .filter((line) => /^(\[pid +\d+\] )?\w+\(/.test(line)).length;
}

/** Kills a script at many calls; `check` looks at the data root after each. */
async function killEverywhere(
  script: string,
  prepare: (root: string) => Promise<void>,
  check: (root: string, where: string) => Promise<void>,
): Promise<void> {
  await withDataRoot(async (top) => {
    await prepare(`${top}/0`);
    const calls = runTraced(`${top}/0`, script);
    assert.ok(calls > 20, `${calls} calls`);
    const step = all ? 1 : Math.max(1, Math.floor(calls / 25));
    for (let at = 1; at <= calls; at += step) {
      const root = `${top}/${at}`;
      await prepare(root);
      runTraced(root, script, at);
      await check(root, `killed at call ${at} of ${calls}`);
      rmSync(root, { recursive: true });
    }
  });
}

/** All layers can be written as they came, and there is no directory that belongs to none. */
async function assertWhole(root: string, where: string): Promise<void> {
  const layers = listLayers(root);
  for (const chainId of layers) await writeLayer(root, chainId, { write() {} });
  assert.is(namesIn(`${root}/overlay2`).length, layers.length + 1, where);
  assert.is(namesIn(`${root}/overlay2/l`).length, layers.length, where);
}

if (Bun.which('strace') === null) skip('layers, killed at every call', 'there is no strace');
else {
  test('addLayer, killed at any call, leaves a whole layer or none', () =>
    killEverywhere(
      'await add(root, await add(root, undefined, base), upper);',
      async () => {},
      async (root, where) => {
        for (const chainId of listLayers(root)) await writeLayer(root, chainId, { write() {} });
        const base = await add(root, undefined, makeTar(...BASE));
        await add(root, base, makeTar(...UPPER));
        await add(root, base, makeTar({ name: 'other', data: '' }));
        assert.is(listLayers(root).length, 3, where);
        await assertWhole(root, where);
      },
    ));

  test('removeUnusedLayers, killed at any call, leaves whole layers, and the next one goes on', () =>
    killEverywhere(
      'await withLayersAlone(root, () => void removeUnusedLayers(root, new Set()));',
      async (root) => {
        for (const data of ['one', 'two'])
          await add(root, await add(root, undefined, makeTar({ name: 'a', data })), makeTar(...UPPER));
      },
      async (root, where) => {
        for (const chainId of listLayers(root)) await writeLayer(root, chainId, { write() {} });
        await withLayersAlone(root, () => void removeUnusedLayers(root, new Set()));
        assert.equal(listLayers(root), [], where);
        await assertWhole(root, where);
      },
    ));
}

test.run();
