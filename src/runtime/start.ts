// `tinyrun start`: releases the init of a created container, which waits at its exec fifo. OCI runtime.md, "Start".

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { EXEC_FIFO } from '../oci/state.ts';
import { constants } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import { AT_FDCWD, exists, openDirectory } from './files.ts';
import type { GlobalOptions } from './options.ts';
import { type Process, signalProcess } from './process.ts';
import { assertLegal } from './status.ts';
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
function release(root: string, id: string, { init, hooks }: Container): void {
  const directory = openDirectory(AT_FDCWD, `${root}/${id}`);
  if (directory === undefined) throw notFound(root, id);
  const fifo = rawSyscall(
    'openat',
    directory,
    EXEC_FIFO,
    constants['O_WRONLY']! | constants['O_NONBLOCK']! | constants['O_CLOEXEC']!,
    0,
  );
  try {
    if (fifo === -errnos['ENOENT']!) assertLegal('start', id, 'running'); // another caller was faster
    if (fifo === -errnos['ENXIO']!) assertWaits(id, init);
    if (fifo < 0) throw new SystemError(`start container ${id}: open its exec fifo`, -fifo);
    check(id, 'lock its exec fifo', rawSyscall('flock', fifo, constants['LOCK_EX']!));
    if (!exists(directory, EXEC_FIFO)) assertLegal('start', id, 'running');
    const written = rawSyscall('write', fifo, BYTE, 1);
    if (written === -errnos['EPIPE']!) assertWaits(id, init);
    check(id, 'write to its exec fifo', written);
    check(id, 'remove its exec fifo', rawSyscall('unlinkat', directory, EXEC_FIFO, 0));
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

/** Nobody reads from the fifo: init has ended, or another caller has just started it. */
function assertWaits(id: string, init: Process): void {
  assertLegal('start', id, signalProcess(init, 0, `container ${id}`) ? 'running' : 'stopped');
}

function check(id: string, what: string, result: number): void {
  if (result < 0) throw new SystemError(`start container ${id}: ${what}`, -result);
}
