// `tinyrun delete`: a stopped container's state directory and own files; with --force, a running one's init before.
// The host program of a container in the foreground outlives init by moments: it is waited for.

import { close, pidfdOpen, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { constants } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import type { GlobalOptions } from './options.ts';
import { assertLegal } from './status.ts';
import {
  type Container,
  findContainer,
  lockContainer,
  notFound,
  removeLocked,
  removeStale,
  statOf,
} from './store.ts';

/** How long an end may take, of a killed process or of the host program behind it. */
const PATIENCE_MS = 10_000;

/**
 * Deletes a container.
 * @param force kill it if it runs; one that is not there is no error
 * @throws TinyrunError NOT_FOUND, or STATE if it is not stopped, in runc's words
 */
export function deleteContainer(
  global: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  id: string,
  force: boolean,
): void {
  const { root, dataRoot } = global;
  const container = findContainer(root, id);
  if (container === undefined) {
    if (removeStale(root, id, dataRoot)) return;
    if (lockContainer(root, id) === 'held') assertLegal('delete', id, 'creating');
    if (!force) throw notFound(root, id);
    return;
  }
  if (container.state.status !== 'stopped') {
    if (!force) assertLegal('delete', id, container.state.status);
    killInit(id, container);
  }
  removeWhenFree(root, id, container.dataDirectory);
}

/** Kills init, and only it: between the pid's start time and the signal stands a pidfd, which names one process. */
function killInit(id: string, { init }: Container): void {
  const pidfd = openPidfd(init.pid);
  if (pidfd === undefined) return;
  try {
    if (statOf(init.pid)?.startTime !== init.stat?.startTime) return; // it ended, and the pid is another's
    const result = rawSyscall('pidfd_send_signal', pidfd, constants['SIGKILL']!, null, 0);
    if (result < 0 && result !== -errnos['ESRCH']!) throw new SystemError(`kill container ${id}`, -result);
    waitForEnd(id, pidfd);
  } finally {
    close(pidfd);
  }
}

function openPidfd(pid: number): number | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (error instanceof SystemError && error.errno === 'ESRCH') return undefined;
    throw error;
  }
}

/** A pidfd becomes readable when its process has ended, zombie or not: pidfd_open(2). */
function waitForEnd(id: string, pidfd: number): void {
  const pollfd = new DataView(new ArrayBuffer(8)); // struct pollfd { int fd; short events; short revents; }
  pollfd.setInt32(0, pidfd, true);
  pollfd.setInt16(4, constants['POLLIN']!, true);
  const timeout = new BigInt64Array([BigInt(PATIENCE_MS / 1000), 0n]); // struct timespec
  const ready = rawSyscall(
    'ppoll',
    new Uint8Array(pollfd.buffer),
    1,
    new Uint8Array(timeout.buffer),
    null,
    0,
  );
  if (ready < 0) throw new SystemError(`wait for the end of container ${id}`, -ready);
  if (ready === 0) throw tooLate(id, 'its init was killed and does not end');
}

/** Removes the container as soon as its host program has ended, which may do that itself. */
function removeWhenFree(root: string, id: string, dataDirectory: string | undefined): void {
  for (let waited = 0; waited < PATIENCE_MS; waited += 2) {
    const lock = lockContainer(root, id);
    if (lock === 'gone') return;
    if (lock !== 'held') {
      try {
        removeLocked(root, id, dataDirectory);
      } finally {
        close(lock.fd);
      }
      return;
    }
    Bun.sleepSync(2);
  }
  throw tooLate(id, 'the tinyrun that ran it does not end');
}

function tooLate(id: string, why: string): TinyrunError {
  return new TinyrunError('STATE', `cannot delete container ${id}: ${why}`, {
    hint: 'try again later',
    data: { id },
  });
}
