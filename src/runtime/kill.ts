// `tinyrun kill`: a signal to the container process, or to all processes of the container. OCI runtime.md, "Kill".

import { flag } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import type { GlobalOptions } from './options.ts';
import { signalProcess } from './process.ts';
import { assertLegal } from './status.ts';
import { type Container, readContainer } from './store.ts';

const SIGKILL = flag('SIGKILL');

/**
 * Sends a signal to the init of a container.
 * @param signal number
 * @param all to all of its processes; of a container that has ended there may be some, and none is no error
 * @throws TinyrunError NOT_FOUND, or STATE in runc's words if it has ended
 */
export async function killContainer(
  { root }: Pick<GlobalOptions, 'root'>,
  id: string,
  signal: number,
  all: boolean,
): Promise<void> {
  const container = readContainer(root, id);
  const { state, init } = container;
  if (all) return signalAll(id, container, signal);
  assertLegal('kill', id, state.status);
  // SIGKILL means the container: without a pid namespace of its own nobody else ends the other processes; and what is
  // frozen takes no signal. Both as runc.
  if (signal === SIGKILL && (state.status === 'paused' || !isFirstOfNamespace(init.pid)))
    await signalAll(id, container, signal);
  if (!signalProcess(init, signal, `container ${id}`) && signal !== SIGKILL)
    assertLegal('kill', id, 'stopped');
}

/** Whether a process is number 1 of its pid namespace, whose end ends all in it: proc_pid_status(5), NSpid. */
function isFirstOfNamespace(pid: number): boolean {
  const status = readSmall(AT_FDCWD, `/proc/${pid}/status`) ?? '';
  return /^NSpid:.*\t1$/m.test(status);
}

async function signalAll(id: string, container: Container, signal: number): Promise<void> {
  if (signal === SIGKILL) {
    const { killCgroups } = await import('./cgroup-remove.ts');
    killCgroups(container.cgroups);
    signalProcess(container.init, signal, `container ${id}`);
    return;
  }
  const { pidsOf, signalListed } = await import('./cgroup/processes.ts');
  signalListed(() => pidsOf(container.cgroups), signal, `container ${id}`);
}
