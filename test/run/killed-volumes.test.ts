// tinyrun killed while it makes, fills and mounts volumes: whatever the moment, the next command finds what there is to repair,
// and no volume is half filled.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { output, until } from '../support/container.ts';
import { leftovers } from '../support/refusal.ts';

const FILES = 400;
const PATH = '/usr/share/data';

function fill({ rootfs }: Bundle): void {
  mkdirSync(join(rootfs, PATH, 'deep'), { recursive: true });
  for (let i = 0; i < FILES; i++)
    writeFileSync(join(rootfs, PATH, i % 2 === 0 ? '' : 'deep', `${i}`), `${i}`);
}

const dataOf = (bundle: Bundle) => join(bundle.dataRoot, 'volumes/v/_data');

/** Starts a run that fills the volume `v`, and kills it after some milliseconds. */
async function killAfter(bundle: Bundle, ms: number): Promise<void> {
  const child = startTinyrun(bundle, ['run', '-v', `v:${PATH}`, '-v', '/anonymous', bundle.dir]);
  await Bun.sleep(ms);
  child.kill('SIGKILL');
  await child.exited;
}

test('killed at any moment, a volume is filled as a whole by the next run, and nothing else is left', () =>
  withBundle(async (bundle) => {
    fill(bundle);
    writeConfig(bundle);
    for (let ms = 2; ms < 300; ms += 25) {
      await killAfter(bundle, ms);
      const found =
        runTinyrun(bundle, ['volume', 'inspect', 'v']).code === 0 ? readdirSync(dataOf(bundle)) : [];
      assert.ok(found.length <= 1 + FILES / 2);
      output(runTinyrun(bundle, ['run', '-v', `v:${PATH}`, bundle.dir]));
      assert.is(readdirSync(dataOf(bundle)).length, 1 + FILES / 2, `after ${ms} ms`);
      assert.is(readdirSync(join(dataOf(bundle), 'deep')).length, FILES / 2);
      assert.is(readFileSync(join(dataOf(bundle), 'deep/399'), 'utf8'), '399');
      // Init of a killed host program dies as well, in its own time.
      await until('the volume is not in use', () => runTinyrun(bundle, ['volume', 'rm', 'v']).code === 0);
      assert.equal(leftovers(bundle), [], `after ${ms} ms`);
      output(runTinyrun(bundle, ['volume', 'prune', '-f']));
      assert.equal(readdirSync(join(bundle.dataRoot, 'volumes')), ['.aside']);
    }
  }));

test.run();
