// An archive that another thread (read-thread.ts) reads, decompresses and hashes, ahead of this one, which unpacks it. What it
// has read lies in a ring (ring.ts), in memory of both: nothing is copied for this thread.

import { TinyrunError } from '../errors.ts';
import { type End, FILLED, newRing, type Ring, release, slotOf } from './ring.ts';
import type { ByteSource } from './source.ts';
import type { OpenArchive, OpenOptions, Stored } from './stored.ts';

const SLOTS = 8;
const SLOT = 2 ** 20;
/** Of a thread that is waited for: what has become of it is asked so often. */
const PATIENCE_MS = 200;

/** What the thread is told. */
export interface Task {
  ring: Ring;
  stored: Stored;
  digestStored: boolean;
}

/** @throws TinyrunError HOST, also while it is read, where there can be no thread */
export function openAhead(
  stored: Stored,
  { digestStored = false, advance = () => {} }: OpenOptions,
): OpenArchive {
  const ring = newRing(SLOTS, SLOT);
  const { fd, name, range } = stored;
  const thread = startThread(name);
  const task: Task = { ring, stored: { fd, name, range }, digestStored };
  thread.worker.postMessage(task);
  let end: Exclude<End, { error: unknown }> | undefined;

  async function* source(): ByteSource {
    for (let at = 0; ; at++) {
      await waitForSlot(ring, at, thread.failed);
      const slot = slotOf(ring, at);
      if ('end' in slot) {
        end = orThrow(slot.end);
        return;
      }
      advance(slot.read);
      yield slot.bytes;
      release(ring, at + 1);
    }
  }
  const ended = () => {
    if (end === undefined) throw new Error('the archive has not ended');
    return end;
  };
  return {
    source: source(),
    get bytes() {
      return ended().bytes;
    },
    digest: () => ended().digest,
    storedDigest: () => ended().storedDigest,
    close() {
      release(ring, 2 ** 31 - 1); // it may be waiting for room
      thread.worker.terminate();
    },
  };
}

/** This thread has nothing else to do: it sleeps. */
async function waitForSlot({ counters }: Ring, at: number, failed: Promise<never>): Promise<void> {
  while (Atomics.load(counters, FILLED) === at)
    if (Atomics.wait(counters, FILLED, at, PATIENCE_MS) === 'timed-out')
      await Promise.race([Bun.sleep(0), failed]);
}

function orThrow(end: End): Exclude<End, { error: unknown }> {
  if (!('error' in end)) return end;
  const { code, message, hint, data } = end.error;
  throw new TinyrunError(code, message, { hint, data });
}

function startThread(name: string): { worker: Worker; failed: Promise<never> } {
  const refused = (why: string): TinyrunError =>
    new TinyrunError('HOST', `start a thread that reads ${name}: ${why}`);
  const worker = newWorker(refused);
  const failed = new Promise<never>((_, reject) => {
    worker.onerror = ({ message }) => reject(refused(message));
  });
  failed.catch(() => {}); // it is told by who waits for it
  return { worker, failed };
}

function newWorker(refused: (why: string) => TinyrunError): Worker {
  // In the executable it is a file of its own, of which only the place is known (scripts/build.ts).
  const inside = import.meta.url.startsWith('file:///$bunfs/');
  const url = new URL(inside ? '/$bunfs/root/archive/read-thread.js' : './read-thread.ts', import.meta.url);
  try {
    return new Worker(url);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}
