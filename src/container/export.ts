// `export`: the root filesystem of a container as one archive, as its program sees it, but for what is mounted in it.

import { packTree } from '../archive/pack.ts';
import type { ByteSink } from '../archive/source.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import type { ContainerRecord } from './record.ts';
import { withContainerRoot } from './root.ts';

/**
 * Writes the archive.
 * @throws TinyrunError NOT_FOUND; SystemError
 */
export const exportContainer = async (
  global: GlobalOptions,
  record: ContainerRecord,
  sink: ByteSink,
): Promise<void> =>
  await withContainerRoot(global, record, 'the root alone', async (root) => {
    await packTree(root, sink, { whiteouts: 'plain' });
  });
