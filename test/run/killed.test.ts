// SIGKILL at every op of a run: to the host program, whose container must not outlive it and whose leftovers the next
// command recognises; and to init, behind which the host program cleans up. A sample of the ops; all of them with
// TINYRUN_TEST_ALL=1.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, withBundle } from '../support/bundle.ts';
import { assertSucceeds, leftovers, processesOf } from '../support/refusal.ts';
import {
  childrenOf,
  countOps,
  openTerminal,
  type Stepped,
  startStepped,
  type Terminal,
} from '../support/steps.ts';

const EVERY = process.env['TINYRUN_TEST_ALL'] === '1' ? 1 : 3;
/** Bundles that are worked on at once: most of the time a test waits. */
const WORKERS = 3;

interface Variant {
  name: string;
  config: (config: Config) => void;
  flags: string[];
  terminal: boolean;
}

const variants: Variant[] = [
  { name: 'an overlay', config: () => {}, flags: ['--overlay'], terminal: false },
  {
    name: 'a user namespace',
    config: ({ linux }) => {
      linux!.namespaces!.push({ type: 'user' });
      linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      linux!.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    },
    flags: [],
    terminal: false,
  },
  {
    name: 'a terminal',
    config: ({ process }) => Object.assign(process, { terminal: true }),
    flags: [],
    terminal: true,
  },
];

/** Calls `use` for each sampled op, in some bundles at once. */
async function atEachOp(
  { config, flags, terminal }: Variant,
  use: (bundle: Bundle, words: string[], op: number, terminal: Terminal | undefined) => Promise<void>,
): Promise<void> {
  const worker = (first: number) =>
    withBundle(
      async (bundle) => {
        const own = terminal ? openTerminal() : undefined;
        try {
          const words = [...flags, '--bundle', bundle.dir, bundle.id];
          const ops = countOps(bundle, words, own);
          assert.ok(ops > 100, 'a run has many ops');
          for (let op = first; op <= ops; op += EVERY * WORKERS) try{await use(bundle, words, op, own);}catch(e){console.log(op,ops,String(e))}
          assert.equal(leftovers(bundle), []);
        } finally {
          own?.close();
        }
      },
      { config },
    );
  const results = await Promise.allSettled(Array.from({ length: WORKERS }, (_, i) => worker(1 + i * EVERY)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Waits, at most two seconds, until something holds. */
async function soon(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (holds()) return true;
    await Bun.sleep(10);
  }
  return false;
}

/** Kills the host program at an op, and looks at what is left of it. */
async function killHost(bundle: Bundle, words: string[], op: number, terminal?: Terminal): Promise<void> {
  const settings = terminal?.settings();
  const run = startStepped(bundle, words, op, terminal);
  await run.taken();
  process.kill(run.pid, 'SIGKILL');
  run.release(); // init is held as well, and would not see that its parent is gone
  await run.exited;
  assert.ok(await soon(() => processesOf(bundle).length === 0), `op ${op}: processes are left`);
  assert.ok(await soon(() => terminal?.settings() === settings), `op ${op}: the terminal is not as it was`);
  if (op % 2 === 0) {
    assertSucceeds(runTinyrun(bundle, ['run', ...words])); // the id is free again
  } else {
    const list = runTinyrun(bundle, ['list', '--quiet']);
    assert.is(list.stderr, '');
    assert.is(list.stdout, '', `op ${op}: a transient container is gone with its tinyrun`);
  }
  assert.equal(leftovers(bundle), [], `op ${op}`);
}

/** Kills init at an op: the host program ends as init did. */
async function killInit(bundle: Bundle, words: string[], op: number, terminal?: Terminal): Promise<void> {
  const settings = terminal?.settings();
  const run: Stepped = startStepped(bundle, words, op, terminal);
  await run.taken();
  const init = childrenOf(run.pid)[0];
  if (init !== undefined) process.kill(init, 'SIGKILL');
  run.release();
  const code = await run.exited;
  // 0: it had ended. 125 or 1: the host program was about to do something to it, and says what.
  assert.ok([0, 1, 137].includes(code), `op ${op}: exit code ${code}`);
  const stderr = await run.stderr();
  assert.ok((code === 1 ? /^tinyrun: .+\n$/ : /^$/).test(stderr) || terminal, `op ${op}: exit code ${code}: ${stderr}`);
  assert.equal(leftovers(bundle), [], `op ${op}`);
  assert.is(terminal?.settings(), settings);
}

for (const variant of variants) {
  test(`a run with ${variant.name} can be killed at any op, and leaves nothing`, () =>
    atEachOp(variant, killHost));
  test(`where init is killed at any op, a run with ${variant.name} cleans up and says so`, () =>
    atEachOp(variant, killInit));
}

test.run();
