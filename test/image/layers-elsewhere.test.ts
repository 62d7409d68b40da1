// The layer store when others use it at the same moment, and when its disk is full. Needs root.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeLayer } from '../../src/image/layer-archive.ts';
import { listLayers } from '../../src/image/layers.ts';
import { namesIn, withDataRoot } from '../support/layer-store.ts';

const store = JSON.stringify(new URL('../support/layer-store.ts', import.meta.url).pathname);

/** What a script prints that has `add` and `root`, in a process of its own. `before`: words that start it. */
async function outputOf(root: string, script: string, before: readonly string[] = []): Promise<string> {
  const preamble = `const { add } = await import(${store}); const root = process.argv[1];`;
  const words = [...before, process.execPath, '-e', preamble + script, root];
  return await new Response(Bun.spawn(words, { stdout: 'pipe', stderr: 'inherit' }).stdout).text();
}

test('many processes that add the same layers at once have each of them once', () =>
  withDataRoot(async (root) => {
    const script = `
      let top;
      for (let i = 0; i < 6; i++) top = await add(root, top, [{ name: 'file-' + i, data: 'x'.repeat(10000) }]);
      console.log(top.chainId);`;
    const outputs = await Promise.all(Array.from({ length: 6 }, () => outputOf(root, script)));
    assert.is(new Set(outputs).size, 1, outputs.join());
    const layers = listLayers(root);
    assert.is(layers.length, 6);
    assert.is(namesIn(`${root}/overlay2`).length, 7);
    assert.is(namesIn(`${root}/overlay2/l`).length, 6);
    for (const chainId of layers) await writeLayer(root, chainId, { write() {} });
  }));

test('a disk that is full: the error says so, and nothing stays', () =>
  withDataRoot(async (root) => {
    const script = `
      const { readdirSync } = await import('node:fs');
      const tar = [{ name: 'small', data: 'x' }, { name: 'large', data: Buffer.alloc(8000000) }];
      try {
        await add(root, undefined, tar);
      } catch (error) {
        console.log(error.message, readdirSync(root + '/overlay2').join());
      }
      await add(root, undefined, tar.slice(0, 1));
      console.log(readdirSync(root + '/overlay2').length);`;
    const mounted = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=4m none "$0" && exec "$@"', root];
    assert.is(
      await outputOf(root, script, mounted),
      'unpack large: write it: ENOSPC no space left on device l\n2\n',
    );
  }));

test.run();
