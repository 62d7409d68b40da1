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

/** Another lock than the exclusive one that is waited for. */
export interface LockOptions {
  /** Several may hold it at once; whoever wants the exclusive one waits for them all. */
  shared?: boolean;
  /** Not waited for: undefined where it is held. */
  wait?: boolean;
}

/**
 * Takes the lock of a directory. Closing the returned descriptor releases it.
 * @throws SystemError
 */
export function lockDirectory(path: string): number;
export function lockDirectory(path: string, options: LockOptions): number | undefined;
export function lockDirectory(path: string, options: LockOptions = {}): number | undefined {
  const fd = syscall(`open directory ${path}`, 'openat', AT_FDCWD, path, DIRECTORY, 0);
  try {
    if (lockOpen(fd, options)) return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
  close(fd);
  return undefined;
}

/**
 * Takes the lock of an open directory, which is held until the descriptor is closed.
 * @returns false where it is held, and not to be waited for
 * @throws SystemError
 */
export function lockOpen(fd: number, { shared = false, wait = true }: LockOptions = {}): boolean {
  const how = flag(shared ? 'LOCK_SH' : 'LOCK_EX') | (wait ? 0 : flag('LOCK_NB'));
  let result = rawSyscall('flock', fd, how);
  while (result === -errnos['EINTR']!) result = rawSyscall('flock', fd, how);
  if (result === 0) return true;
  if (result === -errnos['EAGAIN']!) return false;
  throw new SystemError('lock a directory', -result);
}

/**
 * The same, waited for with some patience.
 * @param patience milliseconds
 * @returns false where it is still held then
 */
export function lockWithin(fd: number, patience: number): boolean {
  for (let waited = 0; !lockOpen(fd, { wait: false }); waited++) {
    if (waited >= patience) return false;
    Bun.sleepSync(1);
  }
  return true;
}
