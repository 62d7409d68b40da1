// `rm`: what is left of a container goes, its layer, its record and its name; with --volumes its anonymous volumes, too. The
// order is that of repair (unfinished.ts): a note first, so that a second try, or anybody's next command, goes on from there.

import { close } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { removeStale } from '../runtime/removal.ts';
import { removeParts } from './parts.ts';
import { type ContainerRecord, holdRecord, lockContainer, readRecord } from './record.ts';
import { statusOf } from './status.ts';
import { forgetUnfinished, noteUnfinished } from './unfinished.ts';

export interface RemoveOptions {
  /** Kill it if it runs. */
  force: boolean;
  /** Anonymous volumes that nobody else uses go with it. */
  volumes: boolean;
}

/**
 * Removes a container.
 * @throws TinyrunError STATE in Docker's words if it runs
 */
export async function removeContainer(
  global: GlobalOptions,
  record: ContainerRecord,
  options: RemoveOptions,
): Promise<void> {
  const { root, dataRoot } = global;
  const { id, name } = record;
  if (options.force) await (await import('../runtime/delete.ts')).deleteContainer(global, id, true);
  assertRemovable(global, record);
  await removeStale(root, id); // what a killed host program has left in the state root
  const lock = lockContainer(dataRoot, id);
  if (lock === undefined) return; // it was to go at its end (--rm), and has
  let held: number | undefined;
  try {
    assertRemovable(global, record); // somebody may have started it meanwhile
    held = holdRecord(dataRoot, id, 'alone');
    noteUnfinished(dataRoot, id, name, options.volumes);
    await removeParts(dataRoot, id, name, options.volumes);
    forgetUnfinished(dataRoot, id);
  } finally {
    if (held !== undefined) close(held);
    close(lock);
  }
}

/**
 * What the host program of a container cannot do at its end: to give its volumes back, or to remove it, if it was to go (--rm),
 * with its anonymous volumes.
 */
export async function finishContainer(global: GlobalOptions, id: string): Promise<void> {
  const record = readRecord(global.dataRoot, id);
  if (record === undefined) return;
  if (record.hostConfig.AutoRemove)
    return await removeContainer(global, record, { force: false, volumes: true });
  const lock = lockContainer(global.dataRoot, id);
  if (lock === undefined) return;
  try {
    // Somebody may have started it again meanwhile, or be about to.
    if (!exists(AT_FDCWD, `${global.root}/${id}`))
      await (await import('../volume/release.ts')).endMounts(global.dataRoot, id);
  } finally {
    close(lock);
  }
}

/** Docker's words, by status. */
function assertRemovable(global: GlobalOptions, { id, name }: ContainerRecord): void {
  const { status } = statusOf(global, { id });
  if (status !== 'running' && status !== 'paused') return;
  const why =
    status === 'paused'
      ? 'container is paused and must be unpaused first'
      : 'container is running: stop the container before removing or force remove';
  throw new TinyrunError('STATE', `cannot remove container "${name}": ${why}`, {
    data: { id, status },
  });
}
