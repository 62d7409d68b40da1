// What is said of containers that are gone.

import { AT_FDCWD, exists } from '../disk/files.ts';
import { CONTAINER_RECORD } from '../oci/state.ts';
import { listUnwritten, listUses, usesDirectory } from '../volume/uses.ts';
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
  for (const [id, { stateRoot }] of listUses(dataRoot))
    if (!exists(AT_FDCWD, `${usesDirectory(dataRoot, id)}/${CONTAINER_RECORD}`))
      await removeStale(stateRoot, id, dataRoot);
}
