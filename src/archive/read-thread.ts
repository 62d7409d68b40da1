// The thread that read-ahead.ts starts: reads an archive into the ring, to its end.

import { SystemError } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { Task } from './read-ahead.ts';
import { type End, type Filler, fillRing } from './ring.ts';
import { openHere } from './stored.ts';

/** Bytes in buffers made for them, as a decompressor makes them: a thread that never rests collects none by itself. */
const COLLECT_EVERY = 32 * 2 ** 20;

addEventListener('message', async ({ data }: MessageEvent<Task>) => {
  const filler = fillRing(data.ring);
  filler.end(await readAll(data, filler));
});

async function readAll({ stored, digestStored }: Task, filler: Filler): Promise<End> {
  try {
    const archive = openHere(stored, { digestStored, advance: filler.read });
    let last: ArrayBufferLike | undefined;
    let made = 0;
    for await (const chunk of archive.source) {
      filler.put(chunk);
      if (chunk.buffer !== last) made += chunk.buffer.byteLength;
      last = chunk.buffer;
      if (made < COLLECT_EVERY) continue;
      Bun.gc(true);
      made = 0;
    }
    return { digest: archive.digest(), bytes: archive.bytes, storedDigest: archive.storedDigest() };
  } catch (error) {
    if (error instanceof TinyrunError) {
      const { code, message, hint, data } = error;
      return { error: { code, message, hint, data } };
    }
    const message = error instanceof SystemError ? error.message : `read ${stored.name}: ${error}`;
    return { error: { code: 'HOST', message, hint: undefined, data: {} } };
  }
}
