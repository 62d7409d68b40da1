// Waiting for a container's directory to change: inotify(7), beside other descriptors.

import { flag, rawSyscall, readInto, SystemError, syscall } from '../../native-bindings/libc.ts';
import { errnos } from '../sys/errno.ts';

// <sys/inotify.h>, <poll.h>
const IN_MODIFY_MOVE_CREATE_DELETE = 0x2 | 0x80 | 0x100 | 0x200;
const POLLIN = 1;

/**
 * A descriptor that can be read when something in the directory has been written, made, renamed or removed.
 * @throws SystemError
 */
export function watchDirectory(path: string): number {
  const fd = syscall('watch a directory', 'inotify_init1', flag('O_NONBLOCK', 'O_CLOEXEC'));
  syscall(`watch ${path}`, 'inotify_add_watch', fd, path, IN_MODIFY_MOVE_CREATE_DELETE);
  return fd;
}

/** Forgets what has changed so far. */
export function clearWatch(watch: number): void {
  const events = new Uint8Array(4096);
  while (readInto(watch, events) > 0);
}

/**
 * Waits until one of the descriptors can be read (or is at its end), or time is up.
 * @param patience milliseconds
 * @returns those that can
 */
export function waitReadable(fds: readonly number[], patience: number): number[] {
  const list = new Uint8Array(8 * fds.length);
  const view = new DataView(list.buffer);
  fds.forEach((fd, i) => {
    view.setInt32(8 * i, fd, true);
    view.setInt16(8 * i + 4, POLLIN, true);
  });
  const time = new Uint8Array(
    new BigInt64Array([BigInt(Math.floor(patience / 1000)), BigInt(patience % 1000) * 1_000_000n]).buffer,
  );
  const ready = rawSyscall('ppoll', list, fds.length, time, null, 0);
  if (ready < 0 && ready !== -errnos['EINTR']!) throw new SystemError('wait', -ready);
  return fds.filter((_, i) => view.getInt16(8 * i + 6, true) !== 0);
}
