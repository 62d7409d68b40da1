// `tinyrun start`: releases the init of a created container, which waits at its exec fifo. OCI runtime.md, "Start".

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { EXEC_FIFO } from '../oci/state.ts';
import { constants } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import { AT_FDCWD, exists, openDirectory } from './files.ts';
import type { GlobalOptions } from './options.ts';
import { type Process, signalProcess } from './process.ts';
import { assertLegal } from './status.ts';
import { notFound, readContainer } from './store.ts';

const BYTE = new Uint8Array([1]);

/**
 * Starts a created container. Of two callers at once, the lock on the fifo lets one go first; the other finds it gone.
 * @throws TinyrunError NOT_FOUND, or STATE if it is not created
 */
export function startContainer({ root }: Pick<GlobalOptions, 'root'>, id: string): void {
  const { state, init } = readContainer(root, id);
  assertLegal('start', id, state.status);
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
  } finally {
    if (fifo >= 0) close(fifo);
    close(directory);
  }
}

/** Nobody reads from the fifo: init has ended, or another caller has just started it. */
function assertWaits(id: string, init: Process): void {
  assertLegal('start', id, signalProcess(init, 0, `container ${id}`) ? 'running' : 'stopped');
}

function check(id: string, what: string, result: number): void {
  if (result < 0) throw new SystemError(`start container ${id}: ${what}`, -result);
}
