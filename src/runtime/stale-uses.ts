// What is said of containers that are gone.

import { close } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, openDirectory } from '../disk/files.ts';
import { lockOpen } from '../disk/lock.ts';
import { containerDirectory } from '../oci/state.ts';
import { endMounts } from '../volume/release.ts';
import { hasRecord, isAttached, listUnwritten, listUses } from '../volume/uses.ts';
import type { GlobalOptions } from './options.ts';
import { removeStale } from './removal.ts';

/**
 * Removes what is said of containers that are gone: their tinyrun was killed, or the host was started anew. For those who are
 * about to say that a volume is in use.
 */
export async function repairUses({
  dataRoot,
  root,
}: Pick<GlobalOptions, 'dataRoot' | 'root'>): Promise<void> {
  for (const id of listUnwritten(dataRoot)) await removeStale(root, id, dataRoot);
  for (const [id, { stateRoot, mounts }] of listUses(dataRoot))
    if (!hasRecord(dataRoot, id)) await removeStale(stateRoot, id, dataRoot);
    else if (mounts.some(isAttached)) await endIfEnded(stateRoot, id, dataRoot);
}

/** A container that may be started again, and whose monitor was killed: the mounts that came while it ran are gone with it. */
async function endIfEnded(stateRoot: string, id: string, dataRoot: string): Promise<void> {
  const directory = openDirectory(AT_FDCWD, containerDirectory(dataRoot, id));
  if (directory === undefined) return;
  try {
    if (!lockOpen(directory, { wait: false })) return; // somebody is at it
    await removeStale(stateRoot, id);
    if (!exists(AT_FDCWD, `${stateRoot}/${id}`)) await endMounts(dataRoot, id);
  } finally {
    close(directory);
  }
}
