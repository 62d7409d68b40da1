// Processes by pid and start time: signals that cannot hit another process that got the pid meanwhile. pidfd_open(2).

import { close, flag, pidfdOpen, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import { waitFor } from './poll.ts';
import { type ProcessStat, parseStat } from './status.ts';

/** A process as it was when it was made. */
export interface Process {
  pid: number;
  stat: ProcessStat | undefined;
}

/** How long an end may take, of a killed process or of one that cleans up behind it; milliseconds. */
export const PATIENCE_MS = 10_000;

/** The process that has this pid now. */
export function statOf(pid: number): ProcessStat | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    return parseStat(readSmall(AT_FDCWD, `/proc/${pid}/stat`) ?? '');
  } catch (error) {
    if (error instanceof SystemError && error.errno === 'ESRCH') return undefined; // it ended while we read
    throw error;
  }
}

/**
 * Sends a signal; between the start time and the signal stands a pidfd, which names one process.
 * @param signal number; 0 only asks whether it is there
 * @param whose for messages: `container c1`
 * @returns false where the process has ended
 * @throws SystemError
 */
export function signalProcess(process: Process, signal: number, whose: string): boolean {
  return withPidfd(process, (pidfd) => sendSignal(pidfd, signal, whose)) ?? false;
}

/**
 * Opens a file of a process: `root`, `ns/mnt`. A pid that went to another process meanwhile is found out.
 * @returns undefined where the process has ended
 * @throws SystemError
 */
export function openOfProcess({ pid, stat }: Process, file: string, how: number): number | undefined {
  if (stat === undefined) return undefined;
  const fd = rawSyscall('openat', AT_FDCWD, `/proc/${pid}/${file}`, how, 0);
  // ENOENT: it has ended, and nobody has waited for it yet.
  const ended = fd === -errnos['ENOENT']! || fd === -errnos['ESRCH']!;
  if (!ended && statOf(pid)?.startTime === stat.startTime) {
    if (fd < 0) throw new SystemError(`open ${file} of process ${pid}`, -fd);
    return fd;
  }
  if (fd >= 0) close(fd);
  return undefined;
}

/** How long an end is waited for before what holds it up is looked for once more; milliseconds. */
const STEP_MS = 50;

/**
 * Kills a process and waits for its end; one that has ended is fine.
 * @param again what is done whenever it has not ended for a while: it may have been frozen since it was killed
 * @throws TinyrunError STATE if it does not end; SystemError
 */
export function endProcess(process: Process, whose: string, again: () => void = () => {}): void {
  withPidfd(process, (pidfd) => {
    sendSignal(pidfd, flag('SIGKILL'), whose);
    for (let waited = 0; !waitForEnd(pidfd, STEP_MS); waited += STEP_MS) {
      if (waited >= PATIENCE_MS)
        throw new TinyrunError('STATE', `kill ${whose}: process ${process.pid} was killed and does not end`, {
          hint: 'try again later',
        });
      again();
    }
  });
}

function sendSignal(pidfd: number, signal: number, whose: string): boolean {
  const result = rawSyscall('pidfd_send_signal', pidfd, signal, null, 0);
  if (result === -errnos['ESRCH']!) return false;
  if (result < 0) throw new SystemError(`send signal ${signal} to ${whose}`, -result);
  return true;
}

/**
 * Does something with a pidfd of a process.
 * @returns undefined where the process has ended
 */
export function withPidfd<T>(process: Process, use: (pidfd: number) => T): T | undefined {
  const pidfd = openProcess(process);
  if (pidfd === undefined) return undefined;
  try {
    return use(pidfd);
  } finally {
    close(pidfd);
  }
}

/** A pidfd of the very process, to be closed; undefined where it is gone, or its pid another's. */
export function openProcess({ pid, stat }: Process): number | undefined {
  const pidfd = openPidfd(pid);
  if (pidfd === undefined) return undefined;
  if (stat !== undefined && statOf(pid)?.startTime === stat.startTime) return pidfd;
  close(pidfd);
  return undefined;
}

function openPidfd(pid: number): number | undefined {
  if (pid <= 0) return undefined;
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (error instanceof SystemError && error.errno === 'ESRCH') return undefined;
    throw error;
  }
}

/** A pidfd becomes readable when its process has ended, zombie or not: pidfd_open(2). Returns false after `patience`. */
function waitForEnd(pidfd: number, patience: number): boolean {
  return waitFor([{ fd: pidfd, events: flag('POLLIN') }], patience)[0]!;
}
