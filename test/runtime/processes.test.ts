import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signalListed } from '../../src/runtime/cgroup/processes.ts';

const SIGKILL = 9;

/** Calls `use` with processes that wait. */
async function withProcesses(count: number, use: (pids: number[]) => void): Promise<unknown[]> {
  const processes = Array.from({ length: count }, () =>
    Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] }),
  );
  use(processes.map(({ pid }) => pid));
  await Bun.sleep(0);
  const ended = await Promise.all(
    processes.map(async (one) => {
      if (one.exitCode === null) one.kill('SIGTERM');
      await one.exited;
      return one.signalCode;
    }),
  );
  return ended;
}

test('signalListed: who is listed twice gets the signal; a pid that is listed once may be another process by now', async () => {
  const ended = await withProcesses(3, (pids) => {
    let looks = 0;
    signalListed(() => (looks++ === 0 ? pids : pids.slice(1)), SIGKILL, 'a test');
  });
  assert.equal(ended, ['SIGTERM', 'SIGKILL', 'SIGKILL']);
});

test('signalListed: pids that nobody has, and more processes than are open at once', async () => {
  signalListed(() => [2 ** 22 - 1], SIGKILL, 'a test');
  let looks = 0;
  signalListed(
    () => {
      looks += 1;
      return Array<number>(600).fill(2 ** 22 - 1);
    },
    SIGKILL,
    'a test',
  );
  assert.is(looks, 20);
});

test.run();
