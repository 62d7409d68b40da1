// A look at the beginning of a tar: what it is read from is closed, whoever does not go on, or cannot.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ByteSource } from '../../src/archive/source.ts';
import { peek } from '../../src/image/peek.ts';
import { inPieces, makeTar, messageOf } from '../support/archives.ts';

const TAR = makeTar({ name: './', type: 'directory' }, { name: './etc/passwd', data: 'x'.repeat(3_000_000) });

/** A source in small pieces, that tells whether it was closed. */
function watch(bytes: Uint8Array): { source: ByteSource; isClosed: () => boolean } {
  let closed = false;
  async function* pieces(): ByteSource {
    try {
      yield* inPieces(bytes, 100_000);
    } finally {
      closed = true;
    }
  }
  return { source: pieces(), isClosed: () => closed };
}

test('peek: the name of the first entry, and then all of the tar', async () => {
  const { source, isClosed } = watch(TAR);
  const peeked = await peek(source);
  assert.is(peeked.first, 'etc/passwd');
  assert.not(isClosed());
  const pieces: Uint8Array[] = [];
  for await (const piece of peeked.source) pieces.push(piece.slice());
  assert.ok(Buffer.concat(pieces).equals(TAR));
  assert.ok(isClosed());
});

test('peek: who does not read on closes the source', async () => {
  const { source, isClosed } = watch(TAR);
  await (await peek(source)).close();
  assert.ok(isClosed());
});

test('peek: where the first header is damaged the source is closed', async () => {
  const { source, isClosed } = watch(new Uint8Array(3_000_000).fill(0x78));
  assert.match(await messageOf(peek(source)), 'the header is damaged');
  assert.ok(isClosed());
});

test.run();
