// Containers -> what stays in memory beside each: the runtime's process that waits for its end. Their sum is of PSS
// (proc_pid_smaps(5)): a page that n processes share counts 1/n in each.
//
// A container waits for the end of its input, a pipe from this process: however this process ends, they all do.

import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { type Bounds, isOver } from './measure.ts';
import type { Runtime } from './runtimes.ts';

/** Kilobytes. */
export interface Memory {
  /** How many containers ran at once. */
  containers: number;
  /** Of all waiting processes together. */
  pss: number;
  /** Each one's own executable, where that is a file in memory; mapped or not. */
  executable: number;
}

type Container = Bun.Subprocess<'pipe', 'pipe', 'pipe'>;

/** Milliseconds that a container may take to start or to end. */
const LONGEST = 10_000;

/**
 * Runs `count` containers at once, and looks at the processes beside them.
 * @param bundle one whose container prints a line, and ends with its input
 */
export async function measureMemory(
  runtime: Runtime,
  bundle: string,
  count: number,
  bounds: Bounds,
): Promise<Memory> {
  const containers: Container[] = [];
  try {
    while (containers.length < count && !(await isOver({ ...bounds, runs: count }, containers.length))) {
      const container = start(runtime.run(bundle, idOf(containers.length)));
      containers.push(container);
      await firstOutput(container);
    }
    const pids = containers.map(({ pid }) => pid);
    return {
      containers: pids.length,
      pss: pids.map(pssOf).reduce((sum, pss) => sum + pss, 0),
      executable: executableInMemory(pids[0]!),
    };
  } finally {
    await Promise.all(containers.map((container, i) => end(container, runtime.remove(idOf(i)))));
  }
}

const idOf = (i: number): string => `bench-${i}`;

const start = (command: string[]): Container => Bun.spawn(command, { stdio: ['pipe', 'pipe', 'pipe'] });

/** Waits until the container has printed: it runs, and what made it has done so. */
async function firstOutput(container: Container): Promise<void> {
  const timer = setTimeout(() => container.kill('SIGKILL'), LONGEST);
  const reader = container.stdout.getReader();
  const { done } = await reader.read();
  clearTimeout(timer);
  reader.releaseLock();
  if (done) throw new Error(`start a container: ${await container.stderr.text()}`);
}

async function end(container: Container, remove: string[]): Promise<void> {
  const timer = setTimeout(() => {
    Bun.spawnSync(remove);
    container.kill('SIGKILL');
  }, LONGEST);
  await container.stdin.end();
  await container.exited;
  clearTimeout(timer);
}

/** Kilobytes. */
function pssOf(pid: number): number {
  const line = /^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  if (line === null) throw new Error(`/proc/${pid}/smaps_rollup has no Pss`);
  return Number(line[1]);
}

function executableInMemory(pid: number): number {
  const exe = `/proc/${pid}/exe`;
  return readlinkSync(exe).startsWith('/memfd:') ? (statSync(exe).blocks * 512) / 1024 : 0;
}
