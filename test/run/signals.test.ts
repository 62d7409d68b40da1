// Signals to the host program are for the container, and what the container's end was is tinyrun's end: kill(2),
// signal(7), OCI runtime.md "Kill". Without a terminal; terminal.test.ts has those.

import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, tinyrun, withBundle } from '../support/bundle.ts';
import { runOnce, until } from '../support/container.ts';
import { withPty } from '../support/pty.ts';
import { leftovers } from '../support/refusal.ts';
import { type Running, whileRunning } from '../support/running.ts';
import { childrenOf } from '../support/steps.ts';

/** Runs sub-commands of the payload in a bundle of its own, of which nothing may be left. */
const running = (
  commands: readonly string[],
  use: (running: Running, bundle: Bundle) => Promise<void>,
  config: (config: Config) => void = () => {},
): Promise<void> =>
  withBundle(
    async (bundle) => {
      const args = ['run', bundle.dir, '--', '/payload', ...commands];
      await whileRunning(bundle, args, (running) => use(running, bundle));
      await until('all of it is gone', () => leftovers(bundle).length === 0);
    },
    { config },
  );

/** A container that shares the host's pids: its process is no init, which only the kernel's own signals could end. */
function withoutPidNamespace(config: Config): void {
  config.linux!.namespaces = [{ type: 'mount' }];
  delete config.hostname;
}

const forwarded = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGWINCH',
  'SIGCONT',
] as const;
const numberOf = (name: NodeJS.Signals) => constants.signals[name];

test('signals to tinyrun reach the container', () =>
  running(['trap', ...forwarded.map((name) => `${numberOf(name)}`)], async (container) => {
    await container.shows('ready\n');
    let expected = 'ready\n';
    for (const name of forwarded) {
      container.kill(name);
      expected += `${numberOf(name)}\n`;
      await container.shows(expected);
    }
    container.kill('SIGTERM');
    assert.is(await container.exited, 0);
    assert.is(container.stdout(), `${expected}15\n`);
    assert.is(await container.stderr, '');
  }));

test('real-time signals as well', () =>
  running(['trap', '34', '64'], async (container) => {
    await container.shows('ready\n');
    for (const number of [34, 64]) {
      process.kill(container.pid, number);
      await container.shows(`\n${number}\n`);
    }
    container.kill('SIGTERM');
    assert.is(await container.exited, 0);
  }));

test('a signal that comes while the container is set up is not lost', () =>
  running(['trap', '2'], async (container) => {
    await until('tinyrun has become the host program', () => childrenOf(container.pid).length === 1);
    container.kill('SIGINT');
    container.kill('SIGTERM');
    // Before the payload blocks them, init ignores them, as init of any pid namespace does.
    await container.shows('ready\n');
    container.kill('SIGTERM');
    assert.is(await container.exited, 0);
  }));

for (const name of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGALRM', 'SIGTERM'] as const)
  test(`a container that ${name} ends gives ${128 + numberOf(name)}`, () =>
    running(
      ['args', 'ready', '--', 'sleep', '60'],
      async (container) => {
        await container.shows('ready\n');
        container.kill(name);
        assert.is(await container.exited, 128 + numberOf(name));
      },
      withoutPidNamespace,
    ));

test('init of a pid namespace that is killed gives 137', () =>
  running(['args', 'ready', '--', 'sleep', '60'], async (container) => {
    await container.shows('ready\n');
    process.kill(container.init(), 'SIGKILL');
    assert.is(await container.exited, 137);
    assert.is(await container.stderr, '');
  }));

test('a container that is stopped and resumed has not ended', () =>
  running(['trap'], async (container) => {
    await container.shows('ready\n');
    const init = container.init();
    process.kill(init, 'SIGSTOP');
    await until('it is stopped', () => stateOf(init) === 'T');
    await until('tinyrun has seen it, and sleeps on', () => stateOf(container.pid) === 'S');
    process.kill(init, 'SIGCONT');
    await until('it goes on', () => stateOf(init) === 'S');
    container.kill('SIGTERM');
    assert.is(await container.exited, 0);
  }));

test('tinyrun that is stopped and resumed has lost no signal', () =>
  running(['trap', '10', '18'], async (container) => {
    await container.shows('ready\n');
    container.kill('SIGSTOP');
    await until('tinyrun is stopped', () => stateOf(container.pid) === 'T');
    container.kill('SIGUSR1');
    container.kill('SIGCONT');
    await container.shows('10\n');
    await container.shows('18\n');
    container.kill('SIGTERM');
    assert.is(await container.exited, 0);
  }));

test("Ctrl-C on the caller's terminal reaches the container once", () =>
  withBundle(async (bundle) => {
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const command = [tinyrun, ...roots, 'run', bundle.dir, '--', '/payload', 'trap', '2'];
    await withPty(command, async (pty) => {
      await pty.shows('ready\n');
      pty.type('\x03');
      await pty.shows('2\n');
      process.kill(pty.pid(), 'SIGTERM');
      assert.is(await pty.exitCode(), 0);
      assert.is(pty.screen().replace('^C', ''), 'ready\n2\n15\n[exit code 0]\n');
    });
  }));

test('with SIGCHLD ignored by the caller the exit code is the right one', async () => {
  assert.is((await runOnce(['exit', '7'], { via: ['sh', '-c', 'trap "" CHLD; exec "$@"', 'sh'] })).code, 7);
});

test('with SIGTERM ignored by the caller the container can still be ended', async () => {
  const commands = ['sigmask', '--', 'exit', '3'];
  const result = await runOnce(commands, { via: ['sh', '-c', 'trap "" TERM INT HUP; exec "$@"', 'sh'] });
  assert.equal(result, { stdout: 'blocked\nignored\n', stderr: '', code: 3 });
});

// Processes

const statusOf = (pid: number | string): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && /ENOENT|ESRCH/.test(String(error.code))) return '';
    throw error;
  }
};
const stateOf = (pid: number): string => /^State:\s+(\w)/m.exec(statusOf(pid))?.[1] ?? '';

/** Zombies that are children of a process. */
const zombiesOf = (parent: number): string[] =>
  readdirSync('/proc').filter((name) => {
    const status = /^\d+$/.test(name) ? statusOf(name) : '';
    return /^State:\s+Z/m.test(status) && new RegExp(`^PPid:\\s+${parent}$`, 'm').test(status);
  });

test('orphans in a container are children of its init', async () => {
  assert.is((await runOnce(['fork-orphan'])).stdout, '1\n');
});

test("orphans of a container that shares the host's pids are no children of tinyrun", () =>
  running(
    ['fork-orphan', '--', 'args', 'done', '--', 'trap'],
    async (container) => {
      await container.shows('ready\n');
      const [adopter = ''] = container.stdout().split('\n');
      assert.match(adopter, /^\d+$/);
      assert.is.not(Number(adopter), container.pid);
      assert.equal(childrenOf(container.pid), [container.init()]);
      assert.equal(zombiesOf(container.pid), []);
      container.kill('SIGTERM');
      assert.is(await container.exited, 0);
    },
    withoutPidNamespace,
  ));

test('tinyrun has one child and no zombies while a container runs', () =>
  running(['trap'], async (container) => {
    await container.shows('ready\n');
    assert.is(childrenOf(container.pid).length, 1);
    assert.equal(zombiesOf(container.pid), []);
    container.kill('SIGTERM');
    assert.is(await container.exited, 0);
  }));

test("what the container's process leaves running ends with it", () =>
  running(['args', 'begun', '--', 'try', 'sleep', '60'], async (container) => {
    await container.shows('begun\n');
    const init = container.init();
    await until('it has a child', () => childrenOf(init).length === 1);
    const [child = 0] = childrenOf(init);
    process.kill(init, 'SIGKILL');
    assert.is(await container.exited, 137);
    assert.is(stateOf(child), '');
  }));

test.run();
