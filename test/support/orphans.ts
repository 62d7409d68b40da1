// This process in the part of an engine: it takes the processes that nobody else waits for (PR_SET_CHILD_SUBREAPER,
// prctl(2)). Whatever a container leaves behind, alive or as a zombie, becomes a child of ours.

import { readdirSync, readFileSync } from 'node:fs';
import { rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { constantValue } from '../../src/sys/constants.ts';
import { until } from './container.ts';

/** From now on orphans are our children, until `use` is done. */
export async function takingOrphans(use: () => Promise<void>): Promise<void> {
  const take = (on: number): void => {
    syscall('take orphans', 'prctl', constantValue('PR_SET_CHILD_SUBREAPER', 'x64')!, on, 0, 0, 0);
  };
  take(1);
  try {
    await use();
  } finally {
    take(0);
  }
}

/** Waits until an orphan has ended, and takes it from the table of processes: its pid is free from then on. */
export async function reap(pid: number): Promise<void> {
  const wait = () => rawSyscall('wait4', pid, null, constantValue('WNOHANG', 'x64')!, null);
  await until(`process ${pid} has ended, a child of ours`, () => wait() === pid);
}

/** Our children, alive or not, as `PID STATE NAME`. */
export function children(): string[] {
  const threads = readdirSync('/proc/self/task');
  const pids = threads.flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return pids.map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8'); // of a child it is there until we wait for it
    return `${pid} ${/\) (\w)/.exec(stat)?.[1]} ${/\((.*)\)/s.exec(stat)?.[1]}`;
  });
}
