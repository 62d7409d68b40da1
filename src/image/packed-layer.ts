// A layer as a blob of an archive: uncompressed as it came in, or compressed anew. What a blob is called, and how long it is,
// stands in front of it in a tar; of one that is compressed nobody knows that before it is done. So it goes to a file without
// a name first: no more memory for any size, and as much room as the largest one has bytes.

import { close } from '../../native-bindings/libc.ts';
import { type Compression, compress } from '../archive/compress.ts';
import { digestingSink } from '../archive/digest.ts';
import { type ByteSink, sinkOfFd, sourceOfRange } from '../archive/source.ts';
import { openUnnamed } from '../disk/write.ts';
import { writeLayer } from './layer-archive.ts';
import type { Layer } from './layers.ts';

/** What a manifest says of it. */
export interface LayerBlob {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
}

const TAR = 'application/vnd.oci.image.layer.v1.tar';

/**
 * Packs a layer, and hands it to `use`.
 * @param use gets what it is, and what writes `size` bytes
 * @throws TinyrunError ARCHIVE where its files are not what they were; SystemError, and what `use` throws
 */
export async function withPackedLayer(
  dataRoot: string,
  { chainId, diffId, archiveSize }: Layer,
  compression: Compression,
  use: (blob: LayerBlob, write: (sink: ByteSink) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (compression === 'none')
    return await use({ mediaType: TAR, digest: diffId, size: archiveSize }, (sink) =>
      writeLayer(dataRoot, chainId, sink),
    );
  const name = `layer ${chainId}, compressed, in ${dataRoot}`;
  const fd = openUnnamed(dataRoot);
  try {
    const packed = digestingSink(sinkOfFd(fd, name));
    const sink = compress(compression, packed);
    await writeLayer(dataRoot, chainId, sink);
    await sink.end();
    const blob = { mediaType: `${TAR}+${compression}`, digest: packed.digest(), size: packed.bytes };
    await use(blob, async (to) => {
      for await (const chunk of sourceOfRange(fd, { offset: 0, size: blob.size }, name))
        await to.write(chunk);
    });
  } finally {
    close(fd);
  }
}
