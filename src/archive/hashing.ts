// The digest of a long stream, computed by another thread while this one works on the same bytes: a third of the time of
// an import is sha256. They are copied to a ring (ring.ts), so that nobody has to say when a chunk is done with.
// A stream that fits into the ring needs no thread.

import { TinyrunError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { FILLED, HASHED, LAST_BYTES, newRing, SLOTS } from './ring.ts';
import type { ByteSource } from './source.ts';

export interface Hashing {
  /** The same bytes. */
  source: ByteSource;
  /** That have passed. */
  readonly bytes: number;
  /** Of all of them; asked for once, when the source has ended. */
  digest(): Promise<Digest>;
  /** Ends the thread, if there is one. */
  close(): void;
}

/** Together less than what takes as long to hash as a thread to start. */
const SLOT_COUNT = 32;
const SLOT = 256 * 1024;

/** @throws TinyrunError HOST, while it is read or by `digest`, where there can be no thread */
export function hashingAside(source: ByteSource): Hashing {
  const { counters, slots } = newRing(SLOT_COUNT, SLOT);
  let bytes = 0;
  let filled = 0;
  let used = 0;
  let thread: HashThread | undefined;

  /** The current slot is full: waits for the next one. */
  const nextSlot = async (): Promise<void> => {
    filled++;
    used = 0;
    if (filled === SLOT_COUNT) {
      thread = startThread();
      thread.worker.postMessage({ counters, slots });
    }
    Atomics.store(counters, FILLED, filled);
    Atomics.notify(counters, FILLED);
    for (;;) {
      const hashed = Atomics.load(counters, HASHED);
      if (filled - hashed < SLOT_COUNT) return;
      const { async, value } = Atomics.waitAsync(counters, HASHED, hashed);
      if (async && thread !== undefined) await Promise.race([value, thread.digest]);
    }
  };
  async function* passing(): ByteSource {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; ) {
        if (used === SLOT) await nextSlot();
        const part = Math.min(SLOT - used, chunk.length - at);
        slots[filled % SLOT_COUNT]!.set(part === chunk.length ? chunk : chunk.subarray(at, at + part), used);
        used += part;
        at += part;
      }
      bytes += chunk.length;
      yield chunk;
    }
  }
  const end = (): void => {
    Atomics.store(counters, LAST_BYTES, used);
    Atomics.store(counters, SLOTS, filled + 1);
    Atomics.store(counters, FILLED, filled + 1);
    Atomics.notify(counters, FILLED);
  };

  return {
    source: passing(),
    get bytes() {
      return bytes;
    },
    async digest() {
      if (thread !== undefined) {
        end();
        return await thread.digest;
      }
      const hasher = new Bun.CryptoHasher('sha256');
      for (const slot of slots.slice(0, filled)) hasher.update(slot);
      return `sha256:${hasher.update(slots[filled]!.subarray(0, used)).digest('hex')}`;
    },
    close() {
      end(); // it may be waiting for more
      thread?.worker.terminate();
    },
  };
}

interface HashThread {
  worker: Worker;
  digest: Promise<Digest>;
}

function startThread(): HashThread {
  // In the executable it is a file of its own, of which only the place is known (scripts/build.ts).
  const inside = import.meta.url.startsWith('file:///$bunfs/');
  const worker = new Worker(
    new URL(inside ? '/$bunfs/root/archive/hash-thread.js' : './hash-thread.ts', import.meta.url),
  );
  const digest = new Promise<Digest>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<string>) => resolve(`sha256:${data}`);
    worker.onerror = ({ message }) =>
      reject(new TinyrunError('HOST', `start a thread that computes a digest: ${message}`));
  });
  digest.catch(() => {}); // it is told by who waits for it
  return { worker, digest };
}
