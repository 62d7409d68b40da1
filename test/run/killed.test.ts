// SIGKILL at the ops of a run: to the host program, whose container must not outlive it and whose leftovers the next
// command recognises; and to init, behind which the host program cleans up. A sample of the ops (support/steps.ts); all of
// them with TINYRUN_TEST_ALL=1. `create` is killed in killed-create.test.ts.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close } from '../../native-bindings/libc.ts';
import type { Config } from '../../src/oci/config.ts';
import { lockContainer } from '../../src/runtime/removal.ts';
import { type Bundle, runTinyrun, startTinyrun, withBundle } from '../support/bundle.ts';
import { all, inParallel, inUserNamespace, soon, WORKERS, withEverything } from '../support/killed.ts';
import { assertSucceeds, leftovers, processesOf } from '../support/refusal.ts';
import {
  childrenOf,
  openTerminal,
  sampleOps,
  startStepped,
  type Terminal,
  traceOps,
} from '../support/steps.ts';

interface Variant {
  name: string;
  config: (config: Config) => void;
  flags: string[];
  terminal: boolean;
}

const variants: Variant[] = [
  {
    name: 'an overlay, limits, a filter and hooks',
    config: withEverything,
    flags: ['--overlay'],
    terminal: false,
  },
  {
    name: 'a user namespace and a terminal',
    config: (config) => {
      inUserNamespace(config);
      config.process.terminal = true;
    },
    flags: [],
    terminal: true,
  },
];

/** Calls `use` for each sampled op, in some bundles at once. */
async function atEachOp(
  { config, flags, terminal }: Variant,
  section: string | undefined,
  use: (bundle: Bundle, words: string[], op: number, terminal: Terminal | undefined) => Promise<void>,
): Promise<void> {
  const worker = (first: number) =>
    withBundle(
      async (bundle) => {
        const own = terminal ? openTerminal() : undefined;
        try {
          const words = [...flags, '--bundle', bundle.dir, bundle.id];
          const ops = sampleOps(
            traceOps(bundle, words, own),
            section === undefined ? { all } : { all, section },
          );
          assert.ok(ops.length > 30, 'a run has many ops');
          for (let i = first; i < ops.length; i += WORKERS) await use(bundle, words, ops[i]!, own);
          assert.equal(leftovers(bundle), []);
        } finally {
          own?.close();
        }
      },
      { config },
    );
  await inParallel(worker);
}

/** Kills the host program at an op, and looks at what is left of it. */
async function killHost(bundle: Bundle, words: string[], op: number, terminal?: Terminal): Promise<void> {
  const settings = terminal?.settings();
  const run = startStepped(bundle, words, op, terminal);
  await run.taken();
  run.kill();
  run.release(); // init is held as well, and would not see that its parent is gone
  await run.exited;
  assert.ok(await soon(() => processesOf(bundle).length === 0), `op ${op}: processes are left`);
  assert.ok(await soon(() => isFree(bundle)), `op ${op}: the lock is held`);
  assert.ok(await soon(() => terminal?.settings() === settings), `op ${op}: the terminal is not as it was`);
  if (op % 2 === 0) {
    const { code, stderr } = runTinyrun(bundle, ['run', ...words]); // the id is free again
    assert.equal([code, stderr], [0, ''], `op ${op}`);
  } else {
    const list = runTinyrun(bundle, ['list', '--quiet']);
    assert.is(list.stderr, '');
    assert.is(list.stdout, '', `op ${op}: a transient container is gone with its tinyrun`);
  }
  assert.equal(leftovers(bundle), [], `op ${op}`);
}

/** A process that ends drops its locks a moment after its descriptors are gone. */
function isFree({ root, id }: Bundle): boolean {
  const lock = lockContainer(root, id);
  if (typeof lock !== 'string') close(lock.fd);
  return lock !== 'held';
}

/** Kills init at an op: the host program ends as init did, or says what it could not do to it. */
async function killInit(bundle: Bundle, words: string[], op: number, terminal?: Terminal): Promise<void> {
  const settings = terminal?.settings();
  const run = startStepped(bundle, words, op, terminal);
  await run.taken();
  const [init] = childrenOf(run.pid);
  if (init !== undefined) process.kill(init, 'SIGKILL');
  run.release();
  const code = await run.exited;
  const stderr = await run.stderr();
  assert.ok([0, 1, 137].includes(code), `op ${op}: exit code ${code}: ${stderr}`);
  if (code === 1 && terminal === undefined) assert.match(stderr, /^tinyrun: [^\n]+\n$/);
  // Behind its end a poststop hook is the first child.
  else assert.match(stderr, /^(tinyrun: warning: hook poststop 0 [^\n]+ signal[^\n]+\n)?$/, `op ${op}`);
  assert.equal(leftovers(bundle), [], `op ${op}`);
  assert.is(terminal?.settings(), settings, `op ${op}`);
}

for (const variant of variants) {
  test(`a run with ${variant.name} can be killed at any op, and leaves nothing`, () =>
    atEachOp(variant, undefined, killHost));
  test(`where init is killed at any op, a run with ${variant.name} cleans up`, () =>
    atEachOp(variant, 'init', killInit));
}

/** Starts a container of the bundle's own id that runs until it is killed; calls `use` with the pid of its init. */
async function whileRunning(
  bundle: Bundle,
  flags: readonly string[],
  use: (host: ReturnType<typeof startTinyrun>, init: number) => Promise<void>,
): Promise<void> {
  const host = startTinyrun(bundle, ['run', ...flags, '--bundle', bundle.dir, bundle.id]);
  let init = 0;
  const runs = () => {
    init = Number(/"pid": (\d+)/.exec(runTinyrun(bundle, ['state', bundle.id]).stdout)?.[1] ?? 0);
    return init > 0 && readFileSync(`/proc/${init}/comm`, 'utf8') === 'payload\n';
  };
  assert.ok(await soon(runs), 'the container runs');
  await use(host, init);
}

const waits = (config: Config) => {
  config.process.args = ['/payload', 'trap'];
  config.process.user = { uid: 1000, gid: 1000 }; // a change of user makes the kernel forget whose death to die with
};

for (const flags of [[], ['--overlay']])
  test(`a container dies with its host program, and the next command cleans up, ${flags[0] ?? 'in its rootfs'}`, () =>
    withBundle(
      async (bundle) => {
        const words = [...flags, '--bundle', bundle.dir, bundle.id, '--', '/payload', 'true'];
        for (const next of [['list'], ['run', ...words], ['delete', '--force', bundle.id]])
          await whileRunning(bundle, flags, async (host) => {
            host.kill('SIGKILL');
            assert.is(await host.exited, 137);
            assert.ok(await soon(() => processesOf(bundle).length === 0), 'the container is dead');
            assert.is(runTinyrun(bundle, next).code, 0);
            assert.equal(leftovers(bundle), [], next[0]);
          });
      },
      { config: waits },
    ));

test('a container with a name is stopped when its host program is killed, and stays until it is deleted', () =>
  withBundle(
    async (bundle) => {
      const host = startTinyrun(bundle, ['run', '--overlay', '--name', bundle.id, bundle.dir]);
      const status = () => /"status": "(\w+)"/.exec(runTinyrun(bundle, ['state', bundle.id]).stdout)?.[1];
      assert.ok(await soon(() => status() === 'running'));
      host.kill('SIGKILL');
      assert.ok(await soon(() => status() === 'stopped'));
      const again = runTinyrun(bundle, ['run', '--overlay', '--name', bundle.id, bundle.dir]);
      assert.match(again.stderr, /container with given ID already exists/);
      assertSucceeds(runTinyrun(bundle, ['delete', bundle.id]));
      assert.equal(leftovers(bundle), []);
    },
    { config: waits },
  ));

test('where init of a running container is killed, tinyrun ends with 137', () =>
  withBundle(
    (bundle) =>
      whileRunning(bundle, ['--overlay'], async (host, init) => {
        process.kill(init, 'SIGKILL');
        assert.is(await host.exited, 137);
        assert.equal(leftovers(bundle), []);
      }),
    { config: waits },
  ));

test.run();
