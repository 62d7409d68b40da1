// Layers that a power cut may have damaged, before somebody uses them (unsynced.ts says which). Each is unpacked anew from the
// archive that it came from, which its files and its frame still give, or do not: the digest tells.

import { SystemError } from '../../native-bindings/libc.ts';
import { digestingSource } from '../archive/digest.ts';
import { connect } from '../archive/pipe.ts';
import { withLock } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import { addLayer, damaged, entryFolder, type Layer, layersOf, writeLayer } from './layers.ts';
import { anyDoubtful, isDoubtful } from './unsynced.ts';

/**
 * Makes sure that a layer and all below it are whole. Call it before they are mounted, while something keeps them.
 * @param chainId of the topmost; undefined: there are no layers
 * @throws TinyrunError ARCHIVE where one is damaged, NOT_FOUND where one is missing
 */
export async function settleLayers(dataRoot: string, chainId: string | undefined): Promise<void> {
  if (chainId === undefined || !anyDoubtful(dataRoot)) return;
  for (const layer of layersOf(dataRoot, chainId)) {
    if (!isDoubtful(dataRoot, layer.chainId)) continue;
    await withLock(entryFolder(dataRoot, layer.chainId), async () => {
      // Another process may have been faster.
      if (isDoubtful(dataRoot, layer.chainId)) await unpackAnew(dataRoot, layer);
    });
  }
}

async function unpackAnew(dataRoot: string, { chainId, parent, diffId }: Layer): Promise<void> {
  try {
    await connect(
      (sink) => writeLayer(dataRoot, chainId, sink),
      (tar) => addLayer(dataRoot, parent, digestingSource(tar), { diffId }),
    );
  } catch (error) {
    if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
    throw damaged(chainId, `the host stopped before all of it was on the disk: ${error.message}`);
  }
}
