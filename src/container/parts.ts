// The parts of a container on disk: its record, what it mounts, its layer, its name, its directory. What is missing was never
// made, or is gone already. Without its record it is no container any more: that goes first.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, removeTree } from '../disk/files.ts';
import { removeContainerLayer } from '../image/container-layer.ts';
import { CONTAINER_RECORD, containerDirectory, containersDirectory } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { readUses } from '../volume/uses.ts';
import { releaseName } from './names.ts';

/**
 * Removes all of them. The caller has made sure that it does not run, that nobody starts it, and has noted it as unfinished.
 * @param volumes its anonymous volumes that nobody else uses go, too
 * @throws TinyrunError, SystemError naming what could not be removed; a second try goes on from there
 */
export async function removeParts(
  dataRoot: string,
  id: string,
  name: string,
  volumes: boolean,
): Promise<void> {
  const record = `${containerDirectory(dataRoot, id)}/${CONTAINER_RECORD}`;
  const result = rawSyscall('unlinkat', AT_FDCWD, record, 0);
  if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove ${record}`, -result);
  if (readUses(dataRoot, id) !== undefined)
    await (await import('../volume/release.ts')).releaseUses(dataRoot, id, { removeAnonymous: volumes });
  removeContainerLayer(dataRoot, id);
  releaseName(dataRoot, name, id);
  const containers = openDirectory(AT_FDCWD, containersDirectory(dataRoot));
  if (containers === undefined) return;
  try {
    removeTree(containers, id);
  } finally {
    close(containers);
  }
}
