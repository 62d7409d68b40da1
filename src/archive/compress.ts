// gzip and zstd, streamed, by the engine's own zlib and libzstd in threads of their own: nothing of an archive is ever given
// to a program. What a stream is compressed with is seen by its first bytes, not by a name.

import { Readable, type Transform } from 'node:stream';
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { TinyrunError } from '../errors.ts';
import { WHOLE } from './blocks.ts';
import { readerOf } from './reader.ts';
import type { ByteSink, ByteSource } from './source.ts';
import { wholeFrames } from './zstd-frames.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** First bytes: RFC 1952, section 2.3.1; RFC 8878, section 3.1.1 (and 3.1.2, frames that are skipped). */
const magics: readonly (readonly [kind: string, bytes: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ...Array.from({ length: 16 }, (_, i) => ['zstd', [0x50 + i, 0x2a, 0x4d, 0x18]] as const),
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];
const LONGEST_MAGIC = 6;

/**
 * What a stream is compressed with.
 * @param start its first bytes, six if there are as many
 * @throws TinyrunError UNSUPPORTED: bzip2, xz
 */
export function detectCompression(start: Uint8Array): Compression {
  const found = magics.find(([, magic]) => magic.every((byte, i) => start[i] === byte))?.[0] ?? 'none';
  if (found === 'none' || found === 'gzip' || found === 'zstd') return found;
  throw new TinyrunError('UNSUPPORTED', `the archive is compressed with ${found}, which is not supported`, {
    hint: `decompress it first: ${found} -dc FILE`,
  });
}

/** Bytes that come out at once. */
const chunkSize = 256 * 1024;

/**
 * A stream, uncompressed, whatever it is compressed with; several compressed streams one behind the other are one.
 * @throws TinyrunError ARCHIVE while it is read: damaged or cut off
 */
export async function* decompress(source: ByteSource): ByteSource {
  const reader = readerOf(source);
  const start = (await reader.take(LONGEST_MAGIC)).slice();
  async function* whole(): ByteSource {
    yield start;
    for (let bytes = await reader.some(2 ** 20); bytes !== undefined; bytes = await reader.some(2 ** 20))
      yield bytes;
  }
  try {
    const kind = detectCompression(start);
    if (kind === 'none') yield* whole();
    else if (kind === 'gzip') yield* throughTransform(whole(), kind, createGunzip({ chunkSize }));
    else yield* throughTransform(wholeFrames(whole()), kind, createZstdDecompress({ chunkSize }));
  } finally {
    await reader.close();
  }
}

async function* throughTransform(source: ByteSource, kind: Compression, transform: Transform): ByteSource {
  const input = Readable.from(copies(source), { objectMode: false, highWaterMark: 2 });
  // A failure of the input is one of the output.
  input.once('error', (error) => transform.destroy(error));
  input.pipe(transform);
  try {
    for await (const chunk of transform) yield chunk;
  } catch (error) {
    if (!isOfZlib(error)) throw error;
    throw new TinyrunError('ARCHIVE', `decompress the archive (${kind}): ${error.message}`, WHOLE);
  } finally {
    input.destroy();
    transform.destroy();
  }
}

/** The decompressor keeps what it is given, while the source goes on. */
async function* copies(source: ByteSource): ByteSource {
  for await (const chunk of source) yield chunk.slice();
}

/** Z_DATA_ERROR, ZSTD_error_corruption_detected, ...: not what the source itself threw. */
const isOfZlib = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^(Z_|ZSTD_|ERR_)/.test(String(error.code));

/** A sink that compresses; `end` writes what is left. */
export interface CompressingSink extends ByteSink {
  end(): Promise<void>;
}

/** Compresses into a sink. gzip's header has no time and no name, so the same bytes give the same bytes. */
export function compress(kind: Compression, sink: ByteSink): CompressingSink {
  if (kind === 'none') return { write: (bytes) => sink.write(bytes), end: async () => {} };
  const transform: Transform =
    kind === 'gzip' ? createGzip({ chunkSize }) : createZstdCompress({ chunkSize });
  const done = (async () => {
    for await (const chunk of transform) await sink.write(chunk);
  })();
  done.catch(() => {}); // it is told by the next write, or by end
  const failed = done.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  return {
    async write(bytes) {
      const taken = new Promise<void>((resolve, reject) => {
        transform.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
      await Promise.race([taken, failed]);
    },
    async end() {
      transform.end();
      await done;
    },
  };
}
