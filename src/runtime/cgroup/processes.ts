// The processes of a container: all that are in its cgroup, and in cgroups made below it.

import { close, rawSyscall, SystemError } from '../../../native-bindings/libc.ts';
import { isUnified } from '../../cgroup/path.ts';
import { AT_FDCWD, openDirectory, readSmall } from '../../disk/files.ts';
import { errnos } from '../../sys/errno.ts';
import { type Cgroups, directoryV2 } from './files.ts';
import { walkBelow } from './walk.ts';

/**
 * The pids of all processes in the container, as the caller's pid namespace has them; one that is not seen from there
 * has none. Those that come and go meanwhile may be missing, unless it is frozen.
 * @throws SystemError
 */
export function pidsOf(cgroups: Cgroups): number[] {
  const directory = isUnified(cgroups)
    ? directoryV2(cgroups)
    : cgroups.find(({ controllers }) => controllers !== '')?.path;
  if (directory === undefined) return [];
  return pidsBelow(directory);
}

/**
 * The pids in a cgroup and in all that were made below it.
 * @param directory absolute
 */
export function pidsBelow(directory: string): number[] {
  const pids = new Set<number>();
  const collect = (fd: number): void => {
    for (const pid of pidsIn(fd)) pids.add(pid);
  };
  const top = openDirectory(AT_FDCWD, directory);
  if (top === undefined) return [];
  try {
    collect(top);
    walkBelow(top, { enter: collect });
  } finally {
    close(top);
  }
  return [...pids];
}

/** Beyond PID_MAX_LIMIT, which is 2^22, numbers of 8 bytes each. */
const LIMIT = 64 << 20;

/** The pids in an open cgroup itself. */
const pidsIn = (fd: number): number[] =>
  readProcs(fd)
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);

function readProcs(fd: number): string {
  try {
    return readSmall(fd, 'cgroup.procs', LIMIT) ?? '';
  } catch (error) {
    // Removed meanwhile; or a threaded cgroup, whose processes are listed by the one above it.
    if (error instanceof SystemError && (error.errno === 'ENODEV' || error.errno === 'EOPNOTSUPP')) return '';
    throw error;
  }
}

/** Descriptors that are open at once. */
const BATCH = 32;

/**
 * Sends a signal to processes of a list that is looked at twice. The pid of one that ends meanwhile may be another's at once:
 * who is listed again behind the opening of his pidfd, and takes the signal by it, was listed himself.
 * @param list the pids, as they are now
 * @throws SystemError
 */
export function signalListed(list: () => readonly number[], signal: number, whose: string): void {
  const pids = list();
  for (let at = 0; at < pids.length; at += BATCH) {
    const opened: { pid: number; fd: number }[] = [];
    try {
      for (const pid of pids.slice(at, at + BATCH)) {
        const fd = rawSyscall('pidfd_open', pid, 0);
        if (fd >= 0) opened.push({ pid, fd });
        else if (fd !== -errnos['ESRCH']!) throw new SystemError(`open process ${pid} of ${whose}`, -fd);
      }
      const again = new Set(list());
      for (const { pid, fd } of opened) {
        const result = again.has(pid) ? rawSyscall('pidfd_send_signal', fd, signal, null, 0) : 0;
        if (result < 0 && result !== -errnos['ESRCH']!)
          throw new SystemError(`send signal ${signal} to process ${pid} of ${whose}`, -result);
      }
    } finally {
      for (const { fd } of opened) close(fd);
    }
  }
}
