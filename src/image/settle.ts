// Layers that a power cut may have damaged, before somebody uses them (unsynced.ts says which). Each is unpacked anew from the
// archive that it came from, which its files and its frame still give, or do not: the digest tells.

import { SystemError } from '../../native-bindings/libc.ts';
import { digestingSource } from '../archive/digest.ts';
import { connect } from '../archive/pipe.ts';
import { withLock } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import { addLayer, writeLayer } from './layer-archive.ts';
import { damaged, entryFolder, type Layer, layersOf } from './layers.ts';
import { isDoubtful } from './unsynced.ts';

/**
 * Unpacks those anew, of a layer and all below it, that are doubtful.
 * @param chainId of the topmost
 * @throws TinyrunError ARCHIVE where one is damaged, NOT_FOUND where one is missing
 */
export async function unpackDoubtful(dataRoot: string, chainId: string): Promise<void> {
  for (const layer of layersOf(dataRoot, chainId)) {
    if (!isDoubtful(dataRoot, layer.chainId)) continue;
    await withLock(entryFolder(dataRoot, layer.chainId), async () => {
      // Another process may have been faster.
      if (isDoubtful(dataRoot, layer.chainId)) await unpackAnew(dataRoot, layer);
    });
  }
}

/** Of these nothing is wrong with the layer. */
const FULL = ['ENOSPC', 'EDQUOT'];

async function unpackAnew(dataRoot: string, { chainId, parent, diffId }: Layer): Promise<void> {
  try {
    await connect(
      (sink) => writeLayer(dataRoot, chainId, sink),
      (tar) => addLayer(dataRoot, parent, digestingSource(tar), { diffId }),
    );
  } catch (error) {
    if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
    const why = `the host stopped before all of it was on the disk: ${error.message}`;
    if (error instanceof SystemError && FULL.includes(error.errno))
      throw new TinyrunError('HOST', `unpack layer ${chainId} anew: ${why}`, {
        hint: 'make room, and try again: it takes as much again as it has',
      });
    throw damaged(chainId, why);
  }
}
