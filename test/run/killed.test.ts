// SIGKILL at every op of a run: to the host program, whose container must not outlive it and whose leftovers the next
// command recognises; and to init, behind which the host program cleans up. A sample of the ops; all of them with
// TINYRUN_TEST_ALL=1.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, startTinyrun, tinyrun, withBundle } from '../support/bundle.ts';
import { payload } from '../support/container.ts';
import { assertSucceeds, leftovers, processesOf } from '../support/refusal.ts';
import { childrenOf, countOps, openTerminal, startStepped, type Terminal } from '../support/steps.ts';

const EVERY = process.env['TINYRUN_TEST_ALL'] === '1' ? 1 : 11;
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
    name: 'hooks',
    config: (config) => {
      const hook = (path: string) => [{ path, args: ['payload', 'true'], env: [], timeout: 60 }];
      config.hooks = {
        ...{ prestart: hook(payload), createRuntime: hook(payload), createContainer: hook(payload) },
        ...{ startContainer: hook('/payload'), poststart: hook(payload), poststop: hook(payload) },
      };
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
          for (let op = first; op <= ops; op += EVERY * WORKERS) await use(bundle, words, op, own);
          assert.equal(leftovers(bundle), []);
        } finally {
          own?.close();
        }
      },
      { config },
    );
  await inParallel(worker);
}

/** Calls a worker for each share of the ops, and waits for all, whatever becomes of them. */
async function inParallel(worker: (first: number) => Promise<void>): Promise<void> {
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
  run.kill();
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
    atEachOp(variant, killHost));
  test(`where init is killed at any op, a run with ${variant.name} cleans up`, () =>
    atEachOp(variant, killInit));
}

/** Kills `create` at an op: whatever is left of it, the next command finds, and gets rid of. */
async function killCreate(bundle: Bundle, words: string[], op: number): Promise<void> {
  const run = startStepped(bundle, words, op, undefined, 'create');
  await run.taken();
  run.kill();
  run.release();
  await run.exited;
  const list = runTinyrun(bundle, ['list', '--quiet']);
  assert.is(list.stderr, '', `op ${op}`);
  if (op % 2 === 0) assert.is(runTinyrun(bundle, ['state', bundle.id]).code, list.stdout === '' ? 1 : 0);
  assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
  assert.ok(await soon(() => processesOf(bundle).length === 0), `op ${op}: processes are left`);
  assert.equal(leftovers(bundle), [], `op ${op}`);
}

for (const flags of [[], ['--overlay']])
  test(`create ${flags.join(' ')} can be killed at any op, and delete --force cleans up`, async () => {
    const worker = (first: number) =>
      withBundle(async (bundle) => {
        const words = [...flags, '--bundle', bundle.dir, bundle.id];
        const ops = countOps(bundle, words, undefined, 'create');
        assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
        assert.ok(ops > 100, 'a creation has many ops');
        for (let op = first; op <= ops; op += EVERY * WORKERS) await killCreate(bundle, words, op);
      });
    await inParallel(worker);
  });

test('start and delete can be killed at any time, and delete --force cleans up', () =>
  withBundle(
    async (bundle) => {
      for (const verb of ['start', 'delete'])
        for (let round = 0; round < 24; round++) {
          const ignored = { stdio: ['ignore', 'ignore', 'ignore'] as ['ignore', 'ignore', 'ignore'] };
          const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
          const words = ['create', '--overlay', '--bundle', bundle.dir, bundle.id];
          assert.is(Bun.spawnSync([tinyrun, ...roots, ...words], ignored).exitCode, 0);
          if (verb === 'delete') {
            assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
            assert.ok(await soon(() => /stopped/.test(runTinyrun(bundle, ['state', bundle.id]).stdout)));
          }
          const victim = Bun.spawn([tinyrun, ...roots, verb, bundle.id], ignored);
          await Bun.sleep(round / 2); // it takes some five milliseconds
          victim.kill('SIGKILL');
          await victim.exited;
          assert.is(runTinyrun(bundle, ['list']).stderr, '');
          assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
          assert.ok(await soon(() => processesOf(bundle).length === 0), `${verb}, round ${round}`);
          assert.equal(leftovers(bundle), [], `${verb}, round ${round}`);
        }
    },
    { config: ({ process }) => Object.assign(process, { args: ['/payload', 'trap'] }) },
  ));

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
