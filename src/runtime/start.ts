// `tinyrun start`: releases the init of a created container, which waits at its exec fifo. OCI runtime.md, "Start".

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, openDirectory } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { EXEC_FIFO } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import type { GlobalOptions } from './options.ts';
import { assertLegal, refusal } from './status.ts';
import { type Container, notFound, readContainer } from './store.ts';

const BYTE = new Uint8Array([1]);

/**
 * Starts a created container. Of two callers at once, the lock on the fifo lets one go first; the other finds it gone.
 * @returns 0, or 1 where a poststart hook failed and the container was killed for it
 * @throws TinyrunError NOT_FOUND, or STATE if it is not created
 */
export async function startContainer(global: GlobalOptions, id: string): Promise<number> {
  const { root } = global;
  const container = readContainer(root, id);
  assertLegal('start', id, container.state.status);
  release(root, id, container);
  if (!container.hooks.poststart) return 0;
  const { readHooks, runHooks } = await import('./hooks.ts');
  return runHooks(global, readHooks(global, container, 'poststart'));
}

/** Lets init go on; with poststart hooks, until its program runs. */
function release(root: string, id: string, { hooks }: Container): void {
  const directory = openDirectory(AT_FDCWD, `${root}/${id}`);
  if (directory === undefined) throw notFound(root, id);
  const fifo = rawSyscall(
    'openat',
    directory,
    EXEC_FIFO,
    flag('O_WRONLY', 'O_NONBLOCK', 'O_NOFOLLOW', 'O_CLOEXEC'),
    0,
  );
  try {
    // Another caller was faster; or init has ended, or another caller has just started it: nobody reads from the fifo.
    if (fifo === -errnos['ENOENT']! || fifo === -errnos['ENXIO']!) refuse(root, id);
    check(id, 'open its exec fifo', fifo);
    check(id, 'lock its exec fifo', rawSyscall('flock', fifo, flag('LOCK_EX')));
    if (!exists(directory, EXEC_FIFO)) refuse(root, id);
    if (rawSyscall('lseek', fifo, 0, 0) !== -errnos['ESPIPE']!)
      throw new TinyrunError('HOST', `start container ${id}: ${root}/${id}/${EXEC_FIFO} is no fifo`);
    const written = rawSyscall('write', fifo, BYTE, 1);
    if (written === -errnos['EPIPE']!) refuse(root, id);
    check(id, 'write to its exec fifo', written);
    const removed = rawSyscall('unlinkat', directory, EXEC_FIFO, 0);
    if (removed !== -errnos['ENOENT']!) check(id, 'remove its exec fifo', removed); // deleted meanwhile
    if (hooks.poststart) waitForExec(id, fifo);
  } finally {
    if (fifo >= 0) close(fifo);
    close(directory);
  }
}

/** execve closes init's end of the fifo, which is then an error on ours: fifo(7), poll(2). */
function waitForExec(id: string, fifo: number): void {
  const pollfd = new Uint8Array(new Int32Array([fifo, 0]).buffer);
  check(id, 'wait until its program runs', rawSyscall('ppoll', pollfd, 1, null, null, 0));
}

/** Says why the container, which was created a moment ago, cannot be started any more. */
function refuse(root: string, id: string): never {
  const { status } = readContainer(root, id).state;
  throw refusal('start', id, status === 'created' ? 'running' : status);
}

function check(id: string, what: string, result: number): void {
  if (result < 0) throw new SystemError(`start container ${id}: ${what}`, -result);
}
