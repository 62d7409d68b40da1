// flock(2) of a directory: the lock of whatever is kept in it. The kernel releases it when its holder dies, however that
// happens; then what the holder left half done is for the next one to repair.

import { close, flag, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { errnos } from '../sys/errno.ts';
import { AT_FDCWD, DIRECTORY } from './files.ts';

/**
 * Does something while holding the exclusive lock of a directory, after waiting for it.
 * @param path a directory that is there; held twice by one process, it would wait for itself
 * @throws SystemError where the directory cannot be opened or locked, and what `work` throws
 */
export async function withLock<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  const fd = lockDirectory(path);
  try {
    return await work();
  } finally {
    close(fd);
  }
}

/**
 * Takes the exclusive lock of a directory, and waits for it. Closing the returned descriptor releases it.
 * @throws SystemError
 */
export function lockDirectory(path: string): number {
  const fd = syscall(`open directory ${path}`, 'openat', AT_FDCWD, path, DIRECTORY, 0);
  for (;;) {
    const result = rawSyscall('flock', fd, flag('LOCK_EX'));
    if (result === 0) return fd;
    if (result === -errnos['EINTR']!) continue;
    close(fd);
    throw new SystemError(`lock ${path}`, -result);
  }
}
