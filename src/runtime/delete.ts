// `tinyrun delete`: a stopped container's state directory and own files; with --force, a living one is killed before.
// The host program of a container in the foreground outlives init by moments: it is waited for. OCI runtime.md, "Delete".

import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { killCgroups } from './cgroup-remove.ts';
import type { GlobalOptions } from './options.ts';
import { endProcess, PATIENCE_MS } from './process.ts';
import { assertLegal } from './status.ts';
import {
  type Container,
  findContainer,
  lockContainer,
  notFound,
  removeLocked,
  removeStale,
} from './store.ts';

/**
 * Deletes a container.
 * @param force kill it if it lives; one that is not there is no error
 * @throws TinyrunError NOT_FOUND, or STATE if it is not stopped, in runc's words
 */
export async function deleteContainer(global: GlobalOptions, id: string, force: boolean): Promise<void> {
  const { root, dataRoot } = global;
  const container = findContainer(root, id);
  if (container === undefined || container.state.status === 'creating') {
    if (removeStale(root, id, dataRoot)) return;
    if (lockContainer(root, id) === 'held' && !(force && container !== undefined))
      assertLegal('delete', id, 'creating');
  }
  if (container === undefined) {
    if (!force) throw notFound(root, id);
    return;
  }
  if (container.state.status !== 'stopped') {
    if (!force) assertLegal('delete', id, container.state.status);
    killCgroups(container.cgroups); // also what is frozen, which no signal reaches
    endProcess(container.init, `container ${id}`);
  }
  // What leaves nothing behind has a host program, which runs them itself.
  const hooks = container.hooks.poststop && !container.transient ? await import('./hooks.ts') : undefined;
  const pending = hooks?.readHooks(global, container, 'poststop');
  removeWhenFree(root, id, container);
  if (pending !== undefined) await hooks?.runHooks(global, pending);
}

/** Removes the container as soon as its host program has ended, which may do that itself. */
function removeWhenFree(root: string, id: string, container: Container): void {
  for (let waited = 0; waited < PATIENCE_MS; waited += 2) {
    const lock = lockContainer(root, id);
    if (lock === 'gone') return;
    if (lock !== 'held') {
      try {
        removeLocked(root, id, container);
      } finally {
        close(lock.fd);
      }
      return;
    }
    Bun.sleepSync(2);
  }
  throw new TinyrunError('STATE', `cannot delete container ${id}: the tinyrun that ran it does not end`, {
    hint: 'try again later',
    data: { id },
  });
}
