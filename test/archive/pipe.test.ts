import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../../src/archive/pipe.ts';
import type { ByteSource } from '../../src/archive/source.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function textOf(source: ByteSource): Promise<string> {
  let text = '';
  for await (const chunk of source) text += new TextDecoder().decode(chunk);
  return text;
}

async function errorOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

test('connect: what is written is read, in its order, and a buffer may be used again', async () => {
  const buffer = new Uint8Array(2);
  const [written, read] = await connect(async (sink) => {
    for (const text of ['ab', 'cd', 'ef']) {
      buffer.set(bytes(text));
      await sink.write(buffer);
    }
    return 3;
  }, textOf);
  assert.equal([written, read], [3, 'abcdef']);
});

test('connect: nothing is written', async () => {
  assert.equal(await connect(async () => 1, textOf), [1, '']);
});

test('connect: a writer that fails ends the reader, and its error is told', async () => {
  const failing = connect(async (sink) => {
    await sink.write(bytes('a'));
    throw new Error('no more');
  }, textOf);
  assert.is(await errorOf(failing), 'no more');
});

test('connect: a reader that fails ends the writer, and its error is told', async () => {
  let chunks = 0;
  const failing = connect(
    async (sink) => {
      for (;;) {
        await sink.write(bytes('a'));
        chunks++;
      }
    },
    async (source) => {
      for await (const _ of source) if (chunks > 2) throw new Error('enough');
    },
  );
  assert.is(await errorOf(failing), 'enough');
});

test('connect: a reader that never reads ends the writer', async () => {
  const failing = connect(
    (sink) => Promise.resolve(sink.write(bytes('a'))),
    async () => 0,
  );
  assert.is(await errorOf(failing), 'nobody reads any more');
});

test.run();
