// Whether a zstd stream is whole: RFC 8878, section 3.1. The engine's decompressor takes one that is cut off for one that
// ends there (Bun 1.4.5), and so would we an archive. Only the lengths are read here, to see where the last frame ends.

import { TinyrunError } from '../errors.ts';
import { WHOLE } from './blocks.ts';
import { type ByteSource, watched } from './source.ts';

/** What the next bytes are, and what follows them. */
type Step = { kind: 'magic' | 'skipSize' | 'descriptor' | 'block'; length: number };

const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50; // its last four bits are free
const MAGIC: Step = { kind: 'magic', length: 4 };
const BLOCK: Step = { kind: 'block', length: 3 };

const damaged = (why: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `decompress the archive (zstd): ${why}`, WHOLE);

/**
 * The same source; at its end it fails if the last frame is not whole.
 * @throws TinyrunError ARCHIVE while it is read
 */
export async function* wholeFrames(source: ByteSource): ByteSource {
  const header = new Uint8Array(4);
  const view = new DataView(header.buffer);
  let step = MAGIC;
  let used = 0;
  let skip = 0;
  let checksum = 0;

  const advance = (): void => {
    if (step.kind === 'magic') {
      const magic = view.getUint32(0, true);
      if (magic === ZSTD_MAGIC) step = { kind: 'descriptor', length: 1 };
      else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) step = { kind: 'skipSize', length: 4 };
      else throw damaged('something else follows');
    } else if (step.kind === 'skipSize') {
      skip = view.getUint32(0, true);
      step = MAGIC;
    } else if (step.kind === 'descriptor') {
      skip = headerLength(header[0]!);
      checksum = (header[0]! & 4) === 0 ? 0 : 4;
      step = BLOCK;
    } else {
      const block = header[0]! | (header[1]! << 8) | (header[2]! << 16);
      const type = (block >> 1) & 3;
      if (type === 3) throw damaged('a block is of an unknown type');
      const last = (block & 1) === 1;
      skip = (type === 1 ? 1 : block >> 3) + (last ? checksum : 0); // of a run, one byte is stored
      step = last ? MAGIC : BLOCK;
    }
    used = 0;
  };

  yield* watched(source, (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      const skipped = Math.min(skip, chunk.length - at);
      skip -= skipped;
      at += skipped;
      if (skip > 0 || at === chunk.length) break;
      header[used++] = chunk[at++]!;
      if (used === step.length) advance();
    }
  });
  if (step !== MAGIC || used > 0 || skip > 0) throw damaged('it is cut off');
}

/** Bytes of a frame's header behind its descriptor: section 3.1.1.1. */
function headerLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  return (single ? 0 : 1) + dictionary + contentSize;
}
