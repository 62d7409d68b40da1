// `export`: the root filesystem of a container as one archive, as its program sees it, but for what is mounted in it; with
// volumes and binds where that is asked for.

import { packTree } from '../archive/pack.ts';
import type { ByteSink } from '../archive/source.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import type { ContainerRecord } from './record.ts';
import { type Wanted, withContainerRoot } from './root.ts';

/**
 * Writes the archive.
 * @param wanted `with volumes`: as `cp` sees the container
 * @throws TinyrunError NOT_FOUND; SystemError
 */
export const exportContainer = async (
  global: GlobalOptions,
  record: ContainerRecord,
  sink: ByteSink,
  wanted: Wanted,
): Promise<void> =>
  await withContainerRoot(global, record, wanted, async (root) => {
    await packTree(root, sink, { whiteouts: 'plain' });
  });
