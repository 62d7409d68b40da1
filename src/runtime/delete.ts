// `tinyrun delete`: a stopped container's state directory and own files; with --force, a living one is killed before.
// The host program of a container in the foreground outlives init by moments: it is waited for. OCI runtime.md, "Delete".
//
// What is decided without the container's lock may be wrong when we get it: another caller has deleted the container, or
// even made one with the same id. So the state is read once more then, and what it says is what counts.

import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { killCgroups } from './cgroup-remove.ts';
import type { PendingHooks } from './hooks.ts';
import { createLog } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { endProcess, PATIENCE_MS } from './process.ts';
import { lockContainer, removeHalfMade, removeLocked, removeStale } from './removal.ts';
import { assertLegal } from './status.ts';
import { type Container, findContainer, notFound, readLocked } from './store.ts';

/**
 * Deletes a container.
 * @param force kill it if it lives; one that is not there is no error
 * @throws TinyrunError NOT_FOUND, or STATE if it is not stopped, in runc's words
 */
export async function deleteContainer(global: GlobalOptions, id: string, force: boolean): Promise<void> {
  const { root, dataRoot } = global;
  let last: Container | undefined;
  for (let waited = 0; waited < PATIENCE_MS; waited += 2) {
    const container = findContainer(root, id, force ? dataRoot : undefined);
    last = container ?? last;
    if (container !== undefined) endIfForced(container, id, force);
    const lock = lockContainer(root, id);
    if (lock === 'gone') {
      if (last === undefined && (await removeStale(root, id, dataRoot))) return;
      // What leaves nothing behind is removed by its host program; of what is kept, another caller was faster.
      if (!force && last?.transient !== true) throw notFound(root, id);
      return;
    }
    if (lock !== 'held') {
      try {
        if (await removeIfEnded(global, id, lock.fd, force)) return;
      } finally {
        close(lock.fd);
      }
    } else if (!force && container?.state.status !== 'stopped') assertLegal('delete', id, 'creating');
    Bun.sleepSync(2);
  }
  if (last === undefined) assertLegal('delete', id, 'creating');
  throw new TinyrunError('STATE', `cannot delete container ${id}: the tinyrun that ran it does not end`, {
    hint: 'try again later',
    data: { id },
  });
}

/** Without force, only what is being made passes as well: by nobody any more, in all likelihood, which the lock tells. */
function endIfForced({ state, init, cgroups }: Container, id: string, force: boolean): void {
  if (state.status === 'stopped') return;
  if (!force && state.status !== 'creating') assertLegal('delete', id, state.status);
  if (!force) return;
  killCgroups(cgroups); // also what is frozen, which no signal reaches
  endProcess(init, `container ${id}`, () => killCgroups(cgroups)); // it may be frozen again meanwhile
}

/** Removes a container whose lock we hold; returns false if it lives: another one by now, with the same id. */
async function removeIfEnded(
  global: GlobalOptions,
  id: string,
  lock: number,
  force: boolean,
): Promise<boolean> {
  const { root, dataRoot } = global;
  const container = readLocked(lock, root, id, force ? dataRoot : undefined);
  const status = container?.state.status;
  if (container === undefined || status === 'creating') {
    await removeHalfMade(root, id, container, dataRoot);
    return true;
  }
  if (status !== 'stopped') return false;
  // What leaves nothing behind has a host program, which runs them itself.
  const hooks = container.hooks.poststop && !container.transient ? await import('./hooks.ts') : undefined;
  const pending = hooks && readHooks(hooks, global, container, force);
  await removeLocked(root, id, container);
  if (container.unit !== undefined)
    await (await import('./scope.ts')).endScope(container.unit, container.cgroups);
  if (pending !== undefined) await hooks?.runHooks(global, pending);
  return true;
}

/** What stands in the way of hooks is no reason to keep a container that is to go by force. */
function readHooks(
  hooks: typeof import('./hooks.ts'),
  global: GlobalOptions,
  container: Container,
  force: boolean,
): PendingHooks | undefined {
  try {
    return hooks.readHooks(global, container, 'poststop');
  } catch (error) {
    if (!force || !(error instanceof TinyrunError)) throw error;
    createLog(global).warn(`poststop hooks of container ${container.state.id} do not run: ${error.message}`);
    return undefined;
  }
}
