// Containers -> what stays in memory beside each: the runtime's process that waits for its end. Their sum is of PSS
// (proc_pid_smaps(5)): a page that n processes share counts 1/n in each.
//
// All containers wait for the end of their input, a pipe from this process: however this process ends, they do.

import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { close, syscall } from '../native-bindings/libc.ts';
import { flagsValue } from '../src/program/encode.ts';
import { assertNotInterrupted, type Bounds, isOver, LONGEST } from './measure.ts';
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

type Container = Bun.Subprocess<number, 'pipe', 'pipe'>;

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
  const input = makePipe();
  try {
    while (containers.length < count && !(await isOver({ ...bounds, runs: count }, containers.length))) {
      const container = Bun.spawn(runtime.run(bundle, idOf(containers.length)), {
        stdio: [input.read, 'pipe', 'pipe'],
      });
      containers.push(container);
      await firstOutput(container, bounds.signal);
    }
    const pids = containers.map(({ pid }) => pid);
    return {
      containers: pids.length,
      pss: pids.map(pssOf).reduce((sum, pss) => sum + pss, 0),
      executable: executableInMemory(pids[0]!),
    };
  } finally {
    close(input.write);
    close(input.read);
    await Promise.all(containers.map((container, i) => end(container, runtime.remove(idOf(i)))));
  }
}

const idOf = (i: number): string => `bench-${i}`;

/** A pipe of the kernel: Bun's own are sockets, which a container cannot open by name. */
function makePipe(): { read: number; write: number } {
  const fds = new Int32Array(2);
  const closeOnExec = flagsValue(['O_CLOEXEC'], process.arch === 'arm64' ? 'arm64' : 'x64');
  syscall('make a pipe', 'pipe2', new Uint8Array(fds.buffer), closeOnExec);
  return { read: fds[0]!, write: fds[1]! };
}

/** Waits until the container has printed: it runs, and what made it has done so. */
async function firstOutput(container: Container, signal: AbortSignal): Promise<void> {
  const timer = setTimeout(() => container.kill('SIGKILL'), LONGEST);
  const reader = container.stdout.getReader();
  const { done } = await reader.read();
  clearTimeout(timer);
  reader.releaseLock();
  if (!done) return;
  await assertNotInterrupted(signal);
  throw new Error(`start a container: ${(await container.stderr.text()).trim()}`);
}

async function end(container: Container, remove: string[]): Promise<void> {
  const timer = setTimeout(() => {
    Bun.spawnSync(remove);
    container.kill('SIGKILL');
  }, LONGEST);
  await container.exited;
  clearTimeout(timer);
}

/** Kilobytes of a process: proc_pid_smaps(5). */
export function pssOf(pid: number): number {
  const line = /^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  if (line === null) throw new Error(`/proc/${pid}/smaps_rollup has no Pss`);
  return Number(line[1]);
}

function executableInMemory(pid: number): number {
  const exe = `/proc/${pid}/exe`;
  return readlinkSync(exe).startsWith('/memfd:') ? (statSync(exe).blocks * 512) / 1024 : 0;
}
