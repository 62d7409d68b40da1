// The monitor of a container that runs: the host program beside it (plan/monitor.ts), found by the process that it started.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { INPUT_FD } from '../plan/monitor.ts';
import { HOST_NAME } from '../plan/process.ts';
import { lockContainer } from '../runtime/removal.ts';
import { findContainer } from '../runtime/store.ts';
import { errnos } from '../sys/errno.ts';

/**
 * An open pidfd of it, which can be read (poll(2)) when it has ended: then all output is in the log, and `exit` is there.
 * @returns undefined where the container does not run
 * @throws TinyrunError HOST if its state is damaged
 */
export function openMonitor(root: string, id: string): number | undefined {
  const container = findContainer(root, id);
  if (container === undefined || container.state.status === 'stopped') return undefined;
  const parent = parentOf(container.init.pid);
  const pidfd = parent === undefined ? -1 : rawSyscall('pidfd_open', parent, 0);
  if (pidfd < 0) return undefined;
  // Looked at once more: init was its child all the time, and so it is no other process. Who reaps orphans is no monitor: a
  // container can outlive its own (prctl(2), PR_SET_PDEATHSIG), and nothing of its is to reach init of the host.
  const now = findContainer(root, id);
  const isMonitor = readSmall(AT_FDCWD, `/proc/${parent}/comm`) === `${HOST_NAME}\n`;
  if (isMonitor && now?.state.pid === container.init.pid && parentOf(container.init.pid) === parent)
    return pidfd;
  close(pidfd);
  return undefined;
}

/** Whether it is still there, perhaps busy with what comes behind the container's end. */
export function hasMonitor(root: string, id: string): boolean {
  const lock = lockContainer(root, id);
  if (typeof lock === 'string') return lock === 'held';
  close(lock.fd);
  return false;
}

/**
 * Its descriptor of the container's stdin, or of the master of its terminal.
 * @returns undefined where it has none: stdin is /dev/null, or was the first caller's
 * @throws SystemError
 */
export function takeInput(monitor: number): number | undefined {
  const fd = rawSyscall('pidfd_getfd', monitor, INPUT_FD, 0);
  if (fd === -errnos['EBADF']! || fd === -errnos['ESRCH']!) return undefined;
  if (fd < 0) throw new SystemError("take the container's input from its monitor", -fd);
  return fd;
}

/** Sends it a signal, which it passes on to the container; one that has ended gets none. */
export function signalMonitor(monitor: number, signal: number): void {
  const result = rawSyscall('pidfd_send_signal', monitor, signal, null, 0);
  if (result < 0 && result !== -errnos['ESRCH']!) throw new SystemError(`pass on signal ${signal}`, -result);
}

/** The fourth field of proc_pid_stat(5), behind the name in parentheses. */
function parentOf(pid: number): number | undefined {
  const text = readSmall(AT_FDCWD, `/proc/${pid}/stat`) ?? '';
  const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  return Number.isSafeInteger(parent) && parent > 0 ? parent : undefined;
}
