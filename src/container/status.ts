// What became of a container: created, running, paused, exited. While something of it runs, the state store of the runtime
// says so; when it has ended, the files that its host program has left in the container's directory do.
//
//   started   `SECONDS NANOSECONDS`         since 1970, when its program was started the last time
//   exit      `CODE SECONDS NANOSECONDS`    how and when that ended
//   oom       `oom_kill N`: how many of its processes the kernel killed for want of memory
//
// With `started` and without `exit` it was running when the machine, or its host program, ended.

import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { containerDirectory, EXIT } from '../oci/state.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { findContainer } from '../runtime/store.ts';
import type { ContainerRecord } from './record.ts';

export type ContainerStatus = 'created' | 'running' | 'paused' | 'exited';

export interface StatusReport {
  status: ContainerStatus;
  /** Of its process, on the host; 0 where there is none. */
  pid: number;
  exitCode: number;
  /** RFC 3339 with nanoseconds, UTC; ZERO_TIME where it was never. */
  startedAt: string;
  finishedAt: string;
  oomKilled: boolean;
}

/** Whether a container of this status has a process. */
export const hasProcess = (status: ContainerStatus): boolean => status === 'running' || status === 'paused';

/** How Docker writes no time. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';
/** As Docker says it of containers that went with the machine. */
const LOST = 255;

/**
 * Looks at a container.
 * @throws TinyrunError HOST if its state is damaged
 */
export function statusOf(
  { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  { id }: Pick<ContainerRecord, 'id'>,
): StatusReport {
  const directory = containerDirectory(dataRoot, id);
  const state = findContainer(root, id)?.state;
  const alive = state !== undefined && state.status !== 'stopped';
  const started = fieldsOf(`${directory}/started`);
  const startedAt = timeOf(started) ?? (alive ? state.created : ZERO_TIME);
  if (alive)
    return {
      status: state.status === 'paused' ? 'paused' : 'running',
      pid: state.pid,
      exitCode: 0,
      startedAt,
      finishedAt: ZERO_TIME,
      oomKilled: false,
    };
  const { exitCode, finishedAt } = readExit(directory);
  const neverRan = started.length === 0 && exitCode === null;
  return {
    status: neverRan ? 'created' : 'exited',
    pid: 0,
    exitCode: exitCode ?? (neverRan ? 0 : LOST),
    startedAt,
    finishedAt,
    oomKilled: /^oom_kill [1-9]/m.test(readSmall(AT_FDCWD, `${directory}/oom`) ?? ''),
  };
}

/** How a run has ended, and when, as its host program has written it in a directory; a code of null: it has not. */
export function readExit(directory: string): { exitCode: number | null; finishedAt: string } {
  const [exitCode = null, ...finished] = fieldsOf(`${directory}/${EXIT}`);
  return { exitCode, finishedAt: timeOf(finished) ?? ZERO_TIME };
}

/** The numbers in a file; none where it is not there. */
function fieldsOf(path: string): number[] {
  const text = readSmall(AT_FDCWD, path, 64) ?? '';
  return text.trim() === '' ? [] : text.trim().split(' ').map(Number);
}

function timeOf([seconds, nanoseconds]: readonly number[]): string | undefined {
  if (seconds === undefined || nanoseconds === undefined) return undefined;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(nanoseconds).padStart(9, '0')}Z`;
}
