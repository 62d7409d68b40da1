// Hooks that fail: what is said, with which exit code it ends, what still runs, and that nothing is left. OCI runtime.md,
// "Lifecycle"; spec/lifecycle.md.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runTinyrun, startTinyrun, writeConfig } from '../support/bundle.ts';
import { payload, until } from '../support/container.ts';
import { all, BEFORE, runBundle, shell, speak, speakers, withHooks } from '../support/hooks.ts';
import { assertFails, assertSucceeds, leftovers, processesOf } from '../support/refusal.ts';

for (const point of BEFORE)
  test(`a failing ${point} hook undoes everything, and what comes after it does not run`, () =>
    withHooks(
      () => {
        const hooks = all((other) => speak(other));
        return { ...hooks, [point]: [speak(point), speak(point, ['exit', '7']), speak(point)] };
      },
      (bundle) => {
        const result = runBundle(bundle);
        const path = point === 'startContainer' ? '/payload' : payload;
        assert.is(result.stderr, `tinyrun: hook ${point} 1 (${path}): exit code 7\n`);
        assert.is(result.code, 125);
        const before = BEFORE.slice(0, BEFORE.indexOf(point));
        assert.equal(speakers(result), [...before, point, point, 'poststop']);
        assert.equal(leftovers(bundle), []);
        assert.is(runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]).code, 1, "runc's form");
        assert.equal(leftovers(bundle), []);
      },
    ));

test('a failing poststart hook is an error, and the container is killed and removed', () =>
  withHooks(
    () => ({
      poststart: [speak('poststart', ['exit', '7']), speak('poststart')],
      poststop: [speak('poststop')],
    }),
    async (bundle) => {
      for (const flags of [[], ['--name', bundle.id], ['--overlay']]) {
        const result = runBundle(bundle, ['trap'], flags);
        assert.is(result.stderr, `tinyrun: hook poststart 0 (${payload}): exit code 7\n`);
        assert.is(result.code, 125);
        assert.equal(speakers(result), ['poststart', 'poststop']);
        assert.equal(leftovers(bundle), [], flags[0]);
      }
    },
  ));

test('a failing poststop hook is a warning: the others run, and the exit code stays that of the container', () =>
  withHooks(
    () => ({
      poststop: [
        speak('poststop', ['exit', '7']),
        { path: '/missing/hook', env: [] },
        shell('exec sleep 60', { timeout: 1 }),
        speak('poststop'),
      ],
    }),
    (bundle) => {
      const result = runBundle(bundle, ['exit', '3']);
      assert.equal(result.stderr.split('\n'), [
        `tinyrun: warning: hook poststop 0 (${payload}): exit code 7`,
        'tinyrun: run hook poststop 1 (/missing/hook): ENOENT no such file or directory',
        'tinyrun: warning: hook poststop 2 (/bin/sh): did not end within 1 s',
        '',
      ]);
      assert.equal(speakers(result), ['poststop', 'poststop']);
      assert.is(result.code, 3);
    },
  ));

test('without a container there is no poststop: not where planning or the id fails', () =>
  withHooks(
    () => ({ poststop: [speak('poststop')] }),
    (bundle) => {
      mkdirSync(join(bundle.root, bundle.id), { recursive: true });
      writeFileSync(join(bundle.dir, 'held'), '');
      bundle.config.mounts!.push({ destination: '/x', source: '/missing', options: ['bind'] });
      writeConfig(bundle);
      const result = runBundle(bundle);
      assert.is(result.code, 125);
      assert.is(result.stdout, '');
    },
  ));

for (const point of ['createRuntime', 'createContainer', 'poststart'] as const)
  test(`a ${point} hook that does not end in time is killed`, () =>
    withHooks(
      () => ({ [point]: [shell('exec sleep 60', { timeout: 1 })] }),
      (bundle) => {
        const result = runBundle(bundle, ['trap']);
        assert.is(result.stderr, `tinyrun: hook ${point} 0 (/bin/sh): did not end within 1 s\n`);
        assert.is(result.code, 125);
        assert.equal(leftovers(bundle), []);
      },
    ));

test('a hook that a signal ends has failed', () =>
  withHooks(
    () => ({ createRuntime: [shell('kill -SEGV $$')] }),
    (bundle) =>
      assertFails(
        bundle,
        runBundle(bundle),
        /^tinyrun: hook createRuntime 0 \(\/bin\/sh\): exit code 139 \(128 \+ the signal that ended it\)\n$/,
        125,
      ),
  ));

test('why a hook could not be executed is told, once', async () => {
  for (const point of BEFORE)
    await withHooks(
      () => ({}),
      (bundle) => {
        const plain = point === 'startContainer' ? '/etc/plain' : join(bundle.rootfs, 'etc/plain');
        writeFileSync(join(bundle.rootfs, 'etc/plain'), 'text');
        const cases: [string, number, string][] = [
          ['/missing/hook', 0o644, 'ENOENT no such file or directory'],
          [plain, 0o644, 'EACCES permission denied'],
          [plain, 0o755, 'ENOEXEC exec format error'],
          ['/proc', 0o644, 'EACCES permission denied'],
        ];
        for (const [path, mode, words] of cases) {
          chmodSync(join(bundle.rootfs, 'etc/plain'), mode);
          bundle.config.hooks = { [point]: [{ path, env: [], timeout: 5 }] };
          writeConfig(bundle);
          const result = runBundle(bundle);
          assert.is(
            result.stderr.toLowerCase(),
            `tinyrun: run hook ${point} 0 (${path}): ${words}\n`.toLowerCase(),
          );
          assert.is(result.code, 125);
          assert.equal(leftovers(bundle), []);
        }
      },
    );
});

test('failures are told in the file of --log too, as the errors and warnings that they are', () =>
  withHooks(
    () => ({ createRuntime: [shell('exit 3')], poststop: [shell('exit 4')] }),
    (bundle) => {
      const log = join(bundle.dir, 'log');
      const result = runTinyrun(bundle, ['--log', log, '--log-format', 'json', 'run', bundle.dir]);
      assert.is(result.code, 125);
      const lines = readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.equal(
        lines.map(({ level, msg }) => `${level} ${msg}`),
        [
          'error hook createRuntime 0 (/bin/sh): exit code 3',
          'warning hook poststop 0 (/bin/sh): exit code 4',
        ],
      );
    },
  ));

test('a process that a hook leaves behind holds up nothing', () =>
  withHooks(
    (bundle) => ({ createRuntime: [shell(`sleep 60 & echo $! > ${bundle.dir}/left`)] }),
    async (bundle) => {
      const run = startTinyrun(bundle, ['run', bundle.dir]);
      assert.is(await run.exited, 0);
      process.kill(Number(readFileSync(join(bundle.dir, 'left'), 'utf8')), 'SIGKILL');
    },
  ));

test('where the host program is killed, the hook that it waits for dies, and nothing is left', async () => {
  for (const point of ['createRuntime', 'createContainer', 'poststart'] as const)
    await withHooks(
      (bundle) => ({ [point]: [shell(`echo > ${bundle.dir}/begun; exec sleep 60`)] }),
      async (bundle) => {
        const run = startTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'trap']);
        await until('the hook runs', () => existsSync(join(bundle.dir, 'begun')));
        run.kill('SIGKILL');
        await run.exited;
        await until('all are dead', () => processesOf(bundle).length === 0);
        assert.is(runTinyrun(bundle, ['list', '--quiet']).stdout, '');
        assert.equal(leftovers(bundle), [], point);
      },
    );
});

test('a container that is not created because of a hook leaves nothing, and one that detaches has run poststart', () =>
  withHooks(
    (bundle) => ({ createContainer: [shell('exit 3')], poststart: [shell(`echo > ${bundle.dir}/told`)] }),
    (bundle) => {
      for (const verb of [['create'], ['run', '--detach']])
        assertFails(
          bundle,
          runTinyrun(bundle, [...verb, '--bundle', bundle.dir, bundle.id]),
          /hook createContainer 0 \(\/bin\/sh\): exit code 3/,
          1,
        );
      bundle.config.hooks!.createContainer = [];
      writeConfig(bundle);
      assertSucceeds(runTinyrun(bundle, ['run', '--detach', '--bundle', bundle.dir, bundle.id]));
      assert.ok(existsSync(join(bundle.dir, 'told')));
      assertSucceeds(runTinyrun(bundle, ['delete', '--force', bundle.id]));
      bundle.config.hooks!.poststart = [shell('exit 4')];
      bundle.config.process.args = ['/payload', 'sleep', '60'];
      writeConfig(bundle);
      assertFails(
        bundle,
        runTinyrun(bundle, ['run', '--detach', '--bundle', bundle.dir, bundle.id]),
        /hook poststart 0 \(\/bin\/sh\): exit code 4/,
        1,
      );
    },
  ));

test.run();
