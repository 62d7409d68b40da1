// Digests by another thread: the same as by this one, below, at and above what the ring holds; and an end that comes early.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digestOf } from '../../src/archive/digest.ts';
import { hashingAside } from '../../src/archive/hashing.ts';
import { type ByteSource, sourceOfBytes } from '../../src/archive/source.ts';

const RING = 8 * 2 ** 20;

const drain = async (source: ByteSource): Promise<number> => {
  let bytes = 0;
  for await (const chunk of source) bytes += chunk.length;
  return bytes;
};

for (const size of [0, 1, 256 * 1024, RING - 1, RING, RING + 1, 3 * RING + 12345])
  test(`${size} bytes have the digest that they have without a thread`, async () => {
    const bytes = new Uint8Array(size).map((_, i) => (i * 7 + (i >> 9)) & 0xff);
    const chunks = [bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)];
    const hashing = hashingAside(sourceOfBytes(...chunks));
    try {
      assert.is(await drain(hashing.source), size);
      assert.is(hashing.bytes, size);
      assert.is(await hashing.digest(), digestOf(bytes));
    } finally {
      hashing.close();
    }
  });

test('a source that fails with a thread at work leaves none', async () => {
  async function* failing(): ByteSource {
    for (let i = 0; i < 12; i++) yield new Uint8Array(2 ** 20);
    throw new Error('it broke');
  }
  const hashing = hashingAside(failing());
  let message = '';
  try {
    await drain(hashing.source);
  } catch (error) {
    message = String(error);
  } finally {
    hashing.close();
  }
  assert.match(message, /it broke/);
});

test.run();
