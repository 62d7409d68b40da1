// A look at the beginning of a tar, which nobody has to read again for it.

import { readEntries } from '../archive/entries.ts';
import { HEADER_LIMIT } from '../archive/limits.ts';
import { readerOf } from '../archive/reader.ts';
import { type ByteSource, sourceOfBytes } from '../archive/source.ts';
import { cleanName } from './blobs.ts';

/** Enough for the headers of a first entry. */
const PEEKED = HEADER_LIMIT + 64 * 1024;

export interface Peeked {
  /** The name of the first entry but `./`, clean; empty where there is none. */
  first: string;
  /** The whole tar, from its beginning; it closes itself when it has ended. */
  source: ByteSource;
  /** For who does not go on to read it. */
  close(): Promise<void>;
}

/**
 * Looks into a tar.
 * @throws TinyrunError ARCHIVE where its first header is damaged; what `stream` throws
 */
export async function peek(stream: ByteSource): Promise<Peeked> {
  const reader = readerOf(stream);
  try {
    const start = (await reader.take(PEEKED)).slice();
    async function* whole(): ByteSource {
      try {
        yield start;
        for (let bytes = await reader.some(1 << 20); bytes !== undefined; bytes = await reader.some(1 << 20))
          yield bytes;
      } finally {
        await reader.close();
      }
    }
    return { first: await firstName(start), source: whole(), close: () => reader.close() };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function firstName(start: Uint8Array): Promise<string> {
  let seen = 0;
  try {
    for await (const entry of readEntries(sourceOfBytes(start))) {
      const name = cleanName(entry.name);
      if (name !== '') return name;
      seen++;
    }
  } catch (error) {
    if (seen === 0) throw error;
    // `./` may be all that these bytes have; whoever reads on finds out what is wrong with the rest.
  }
  return '';
}
