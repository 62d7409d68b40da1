// An archive as it is stored, in a file or in a pipe, perhaps compressed -> the archive, and its digests. A large one is read,
// decompressed and hashed by another thread (read-ahead.ts), while this one works on what is there already: sha256 alone is
// a third of an import.

import { decompress } from './compress.ts';
import { type Digest, type DigestedSource, digestingSource } from './digest.ts';
import { type ByteSource, type Range, sourceOfFd, sourceOfRange, watched } from './source.ts';

/** Bytes as they are stored. */
export interface Stored {
  fd: number;
  /** How messages call them. */
  name: string;
  /** Where they lie; undefined: all that the descriptor still gives. */
  range: Range | undefined;
}

export interface OpenOptions {
  /** Whether `storedDigest` is wanted. */
  digestStored?: boolean | undefined;
  /** Is told how many more bytes of what is stored are done. */
  advance?: ((bytes: number) => void) | undefined;
}

/** An archive that is being read, uncompressed. What it throws while it is read: SystemError, TinyrunError. */
export interface OpenArchive extends DigestedSource {
  /** Of the bytes as they are stored; asked for at the end. */
  storedDigest(): Digest | undefined;
  /** Ends the thread, if there is one. */
  close(): void;
}

/** The bytes as they are stored. */
export const sourceOfStored = ({ fd, name, range }: Stored): ByteSource =>
  range === undefined ? sourceOfFd(fd, name) : sourceOfRange(fd, range, name);

/** Fewer bytes are done with before a thread has started. */
const WORTH_A_THREAD = 8 * 2 ** 20;

/** Begins to read an archive. Whoever opens it, closes it; not the descriptor. */
export async function openArchive(stored: Stored, options: OpenOptions = {}): Promise<OpenArchive> {
  if (stored.range !== undefined && stored.range.size < WORTH_A_THREAD) return openHere(stored, options);
  const { openAhead } = await import('./read-ahead.ts');
  return openAhead(stored, options);
}

/** The same without a thread. */
export function openHere(stored: Stored, { digestStored, advance = () => {} }: OpenOptions): OpenArchive {
  const bytes = watched(sourceOfStored(stored), (chunk) => advance(chunk.length));
  const outer = digestStored === true ? digestingSource(bytes) : undefined;
  const inner = digestingSource(decompress(outer?.source ?? bytes));
  return Object.assign(inner, { storedDigest: () => outer?.digest(), close() {} });
}
