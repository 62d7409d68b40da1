// SIGKILL at the ops of `create`, and to its container: whatever is left, `list` has no word to say, `state` tells it or
// that there is none, `delete --force` gets rid of all, and the id can be used again. A sample of the ops
// (support/steps.ts); all of them with TINYRUN_TEST_ALL=1.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, withBundle } from '../support/bundle.ts';
import { all, inParallel, inUserNamespace, soon, WORKERS, withEverything } from '../support/killed.ts';
import { assertSucceeds, leftovers, processesOf } from '../support/refusal.ts';
import { childrenOf, sampleOps, startStepped, traceOps } from '../support/steps.ts';

/** Kills `create` at an op, and deletes what is there at once: also while init is still on its way to its end. */
async function killCreate(bundle: Bundle, words: string[], op: number): Promise<void> {
  const run = startStepped(bundle, words, op, undefined, 'create');
  await run.taken();
  run.kill();
  run.release();
  await run.exited;
  const at = `op ${op}`;
  if (op % 2 === 0) {
    const list = runTinyrun(bundle, ['list', '--quiet']);
    assert.is(list.stderr, '', at);
    assert.is(runTinyrun(bundle, ['state', bundle.id]).code, list.stdout === '' ? 1 : 0, at);
  }
  assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
  assert.ok(await soon(() => processesOf(bundle).length === 0), `${at}: processes are left`);
  assert.equal(leftovers(bundle), [], at);
}

/** Kills init at an op of `create`, which then fails in one line, or was done already. */
async function killInit(bundle: Bundle, words: string[], op: number): Promise<void> {
  const run = startStepped(bundle, words, op, undefined, 'create');
  await run.taken();
  const [init] = childrenOf(run.pid);
  if (init !== undefined) process.kill(init, 'SIGKILL');
  run.release();
  const code = await run.exited;
  const at = `op ${op}`;
  if (code !== 0) assert.match(await run.stderr(), /^(tinyrun: [^\n]+\n)+$/, at);
  assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
  assert.ok(await soon(() => processesOf(bundle).length === 0), `${at}: processes are left`);
  assert.equal(leftovers(bundle), [], at);
}

const variants: Readonly<Record<string, { flags: string[]; config: (config: Config) => void }>> = {
  'an overlay, limits, a filter and hooks': { flags: ['--overlay'], config: withEverything },
  'a user namespace': { flags: [], config: inUserNamespace },
};

for (const [name, { flags, config }] of Object.entries(variants))
  for (const [victim, use, section] of [
    ['create', killCreate, undefined],
    ['init', killInit, 'init'],
  ] as const)
    test(`${victim} can be killed at any op of a creation with ${name}, and delete --force cleans up`, () =>
      inParallel((worker) =>
        withBundle(
          async (bundle) => {
            const words = [...flags, '--bundle', bundle.dir, bundle.id];
            const traced = traceOps(bundle, words, undefined, 'create');
            assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
            const ops = sampleOps(traced, section === undefined ? { all } : { all, section });
            assert.ok(ops.length > 30, 'a creation has many ops');
            for (let i = worker; i < ops.length; i += WORKERS) await use(bundle, words, ops[i]!);
          },
          { config },
        ),
      ));

test.run();
