// gzip and zstd: what comes out is what went in, in bounded memory; what is damaged is told. No root needed.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compress, decompress, detectCompression } from '../../src/archive/compress.ts';
import { digestingSink, digestingSource, digestOf } from '../../src/archive/digest.ts';
import { type ByteSource, readAll, sourceOfBytes } from '../../src/archive/source.ts';
import { inPieces, messageOf } from '../support/archives.ts';

const LIMIT = 100_000_000;
const tooLong = (): Error => new Error('too long');
const all = (source: ByteSource): Promise<Uint8Array> => readAll(source, LIMIT, tooLong);

/** Compressible, and not all the same. */
const TEXT = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `line ${i % 977} ${i}\n`).join(''));

async function compressed(kind: 'none' | 'gzip' | 'zstd', bytes: Uint8Array): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const sink = compress(kind, { write: (chunk) => void chunks.push(chunk.slice()) });
  for (let at = 0; at < bytes.length; at += 100_000) await sink.write(bytes.subarray(at, at + 100_000));
  await sink.end();
  return Buffer.concat(chunks);
}

const run = (command: readonly string[], stdin: Uint8Array): Buffer =>
  Bun.spawnSync([...command], { stdin, stderr: 'inherit' }).stdout;

for (const kind of ['none', 'gzip', 'zstd'] as const)
  test(`${kind}: what goes in comes out, in pieces of any length`, async () => {
    const bytes = await compressed(kind, TEXT);
    assert.is(detectCompression(bytes), kind);
    assert.ok(kind === 'none' || bytes.length < TEXT.length / 3, `${bytes.length} bytes`);
    for (const length of [5, 4096, 1_000_000]) {
      const sample = length === 5 ? await compressed(kind, TEXT.subarray(0, 50_000)) : bytes;
      const expected = length === 5 ? TEXT.subarray(0, 50_000) : TEXT;
      assert.ok(
        Buffer.from(await all(decompress(inPieces(sample, length)))).equals(expected),
        String(length),
      );
    }
    assert.ok((await compressed(kind, TEXT)).equals(bytes), 'the same bytes compress to others');
    assert.is((await all(decompress(sourceOfBytes(await compressed(kind, new Uint8Array()))))).length, 0);
  });

for (const kind of ['gzip', 'zstd'] as const) {
  test(`${kind}: streams of others, and several one behind the other`, async () => {
    const stream = run([kind, '-c'], TEXT);
    assert.ok(Buffer.from(await all(decompress(sourceOfBytes(stream)))).equals(TEXT));
    const twice = await all(decompress(inPieces(Buffer.concat([stream, stream]), 70_000)));
    assert.is(twice.length, 2 * TEXT.length);
    assert.ok(run([kind, '-dc'], await compressed(kind, TEXT)).equals(TEXT));
  });

  test(`${kind}: cut off anywhere, or damaged`, async () => {
    const bytes = await compressed(kind, TEXT);
    for (const length of [7, 20, 1000, bytes.length - 9, bytes.length - 1]) {
      const message = await messageOf(all(decompress(sourceOfBytes(bytes.subarray(0, length)))));
      assert.match(message, new RegExp(`^decompress the archive \\(${kind}\\): `), `${length} bytes`);
    }
    const damaged = Uint8Array.from(bytes);
    for (let i = 0; i < 16; i++) damaged[5000 + i]! ^= 0xff;
    const result = await all(decompress(sourceOfBytes(damaged))).catch((error: Error) => error);
    assert.ok(result instanceof Error || !Buffer.from(result).equals(TEXT));
    if (kind === 'gzip') assert.match(String(result), /decompress the archive \(gzip\): /);
  });
}

test('zstd: a frame that is to be skipped stands first, as of files that can be read in parts', async () => {
  const skipped = Buffer.concat([Uint8Array.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.from('note')]);
  const bytes = Buffer.concat([skipped, await compressed('zstd', TEXT)]);
  assert.ok(Buffer.from(await all(decompress(sourceOfBytes(bytes)))).equals(TEXT));
});

test('detectCompression: xz and bzip2 are named', () => {
  const refused = { xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], bzip2: [0x42, 0x5a, 0x68, 0x39] };
  for (const [name, magic] of Object.entries(refused))
    assert.throws(
      () => detectCompression(Uint8Array.from(magic)),
      (error: Error) => error.message === `the archive is compressed with ${name}, which is not supported`,
    );
  assert.is(detectCompression(new Uint8Array()), 'none');
  assert.is(detectCompression(Uint8Array.from([0x1f])), 'none');
});

test('a failure of the source is told as it is, and its end is waited for', async () => {
  async function* failing(): ByteSource {
    yield await compressed('gzip', TEXT).then((bytes) => bytes.subarray(0, 5000));
    throw new Error('the disk is gone');
  }
  assert.is(await messageOf(all(decompress(failing()))), 'the disk is gone');
});

test('a failure of the sink reaches whoever writes', async () => {
  const sink = compress('gzip', {
    write() {
      throw new Error('no space left');
    },
  });
  const writing = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await sink.write(crypto.getRandomValues(new Uint8Array(65536)));
    await sink.end();
  };
  assert.is(await messageOf(writing()), 'no space left');
});

test('a bomb is decompressed no further than it is read', async () => {
  const bomb = run(['sh', '-c', 'head -c 400000000 /dev/zero | gzip -1'], new Uint8Array());
  const before = process.memoryUsage().rss;
  let bytes = 0;
  for await (const chunk of decompress(sourceOfBytes(bomb))) {
    bytes += chunk.length;
    if (bytes > 50_000_000) break;
  }
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 100_000_000, `memory has grown by ${grown} bytes`);
});

test('digests of what is compressed and what is not, at once', async () => {
  const bytes = await compressed('gzip', TEXT);
  const outer = digestingSource(inPieces(bytes, 10_000));
  const inner = digestingSource(decompress(outer.source));
  await all(inner.source);
  assert.equal([outer.digest(), outer.bytes], [digestOf(bytes), bytes.length]);
  assert.equal([inner.digest(), inner.bytes], [digestOf(TEXT), TEXT.length]);
  const sink = digestingSink({ write() {} });
  await sink.write(TEXT);
  assert.is(sink.digest(), digestOf(TEXT));
});

test.run();
