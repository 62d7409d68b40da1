// What stays in memory beside a running container: a program of kilobytes that is no file on the host, and that nobody
// can write to. CVE-2019-5736; memfd_create(2), "File sealing"; proc_pid_smaps(5).

import { closeSync, openSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rawSyscall } from '../../native-bindings/libc.ts';
import { constants } from '../../src/sys/constants.ts';
import type { Bundle } from '../support/bundle.ts';
import { runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { outputOf, until } from '../support/container.ts';
import { leftovers } from '../support/refusal.ts';
import { type Running, whileRunning } from '../support/running.ts';
import { childrenOf } from '../support/steps.ts';

const F_GET_SEALS = 1034; // <linux/fcntl.h>
/** Measured: 28 to 44 KB; a long program costs no more, since most of it is dropped (src/plan/shrink.ts). */
const MOST_KILOBYTES = 64;

/** Memory of a process, shared pages by their share, in KB. */
function pssOf(pid: number): number {
  const pss = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(pss ?? 'NaN');
}

/** A container that waits, and its end. */
const whileWaiting = (
  use: (container: Running, bundle: Bundle) => void | Promise<void>,
  terminal = false,
): Promise<void> =>
  withBundle(async (bundle) => {
    bundle.config.process.terminal = terminal;
    writeConfig(bundle);
    await whileRunning(bundle, ['run', bundle.dir, '--', '/payload', 'trap'], async (container) => {
      await container.shows('ready');
      await use(container, bundle);
      container.kill('SIGTERM');
      assert.is(await container.exited, 0);
    });
    await until('all of it is gone', () => leftovers(bundle).length === 0);
  });

test(`tinyrun beside a container takes less than ${MOST_KILOBYTES} KB`, () =>
  whileWaiting(({ pid }) => {
    assert.ok(pssOf(pid) > 0 && pssOf(pid) <= MOST_KILOBYTES, `it takes ${pssOf(pid)} KB`);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Threads:\t1$/m);
  }));

test(`with a terminal, both processes take less than ${MOST_KILOBYTES} KB each`, () =>
  whileWaiting(({ pid, init }) => {
    const pids = [pid, ...childrenOf(pid).filter((child) => child !== init())];
    assert.is(pids.length, 2);
    for (const one of pids)
      assert.ok(pssOf(one) > 0 && pssOf(one) <= MOST_KILOBYTES, `it takes ${pssOf(one)} KB`);
  }, true));

test('tinyrun beside a container is a file in memory', () =>
  whileWaiting(({ pid }) => {
    assert.is(readlinkSync(`/proc/${pid}/exe`), '/memfd:tinyrun (deleted)');
    assert.is(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'tinyrun\0');
    assert.is(readFileSync(`/proc/${pid}/environ`, 'utf8'), '');
  }));

test('nobody can write to it, not even when it has ended', () =>
  withBundle(async (bundle) => {
    let fd = -1;
    await whileRunning(bundle, ['run', bundle.dir, '--', '/payload', 'trap'], async (container) => {
      await container.shows('ready\n');
      const path = `/proc/${container.pid}/exe`;
      assert.throws(() => openSync(path, 'r+'), /ETXTBSY/);
      fd = openSync(path, 'r');
      const seals = ['F_SEAL_SEAL', 'F_SEAL_SHRINK', 'F_SEAL_GROW', 'F_SEAL_WRITE'];
      const all = seals.reduce((sum, name) => sum | constants[name]!, 0);
      assert.is(rawSyscall('fcntl', fd, F_GET_SEALS) & all, all);
      container.kill('SIGTERM');
      assert.is(await container.exited, 0);
    });
    try {
      assert.throws(() => writeFileSync(`/proc/self/fd/${fd}`, 'x', { flag: 'r+' }), /EPERM/);
    } finally {
      closeSync(fd);
    }
  }));

test('inside, /proc/self/exe is the program of the rootfs', async () => {
  assert.is(
    await outputOf(['readlink', '/proc/self/exe', '--', 'readlink', '/proc/1/exe']),
    '/payload\n/payload\n',
  );
});

for (const [how, prepare] of [
  ['as the program', () => ['/proc/self/exe']],
  [
    'as the interpreter of a script',
    ({ rootfs }: Bundle) => {
      writeFileSync(join(rootfs, 'script'), '#!/proc/self/exe\n', { mode: 0o755 });
      return ['/script'];
    },
  ],
] as const)
  test(`a container that starts /proc/self/exe ${how} gets nothing of the host`, () =>
    withBundle((bundle) => {
      const host = () => {
        const { mtimeMs, ctimeMs, size, ino } = statSync(tinyrun);
        return [mtimeMs, ctimeMs, size, ino];
      };
      const before = host();
      const { code, stdout } = runTinyrun(bundle, ['run', '--overlay', bundle.dir, '--', ...prepare(bundle)]);
      assert.is.not(code, 0);
      assert.is(stdout, '');
      assert.equal(host(), before);
      assert.equal(leftovers(bundle), []);
    }));

test.run();
