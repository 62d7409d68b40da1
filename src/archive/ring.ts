// Memory that two threads share: slots that one fills and the other uses, in turns, and two counters.
//
//   filler: waits until USED > FILLED - slots, fills slot FILLED, FILLED + 1
//   user:   waits until FILLED > USED, uses slot USED, USED + 1
//
// What a slot has is told beside it: bytes of the archive; or, in the last one, how all has ended.

import type { ErrorCode } from '../errors.ts';

export interface Ring {
  counters: Int32Array<SharedArrayBuffer>;
  slots: Uint8Array<SharedArrayBuffer>[];
  /** By slot: how many bytes of it count; -1 - N: they are N bytes of JSON, an End. */
  lengths: Int32Array<SharedArrayBuffer>;
  /** By slot: how many bytes of what is stored were read for it. */
  stored: Int32Array<SharedArrayBuffer>;
}

/** Slots that are filled, and used, since the beginning. */
export const FILLED = 0;
export const USED = 1;

/** How it ended: what is known of the whole, or what went wrong. */
export type End =
  | { digest: string; bytes: number; storedDigest: string | undefined }
  | { error: { code: ErrorCode; message: string; hint: string | undefined; data: Record<string, unknown> } };

const ints = (count: number): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(4 * count));

/** Makes one, with nothing in it. */
export const newRing = (slots: number, bytes: number): Ring => ({
  counters: ints(2),
  slots: Array.from({ length: slots }, () => new Uint8Array(new SharedArrayBuffer(bytes))),
  lengths: ints(slots),
  stored: ints(slots),
});

/** For the thread that fills a ring; it waits where that is full. */
export interface Filler {
  put(bytes: Uint8Array): void;
  /** So many bytes were read for what is put next. */
  read(bytes: number): void;
  end(end: End): void;
}

/** Begins to fill a ring. */
export function fillRing({ counters, slots, lengths, stored }: Ring): Filler {
  let filled = 0;
  let used = 0;
  let read = 0;
  /** Slot `filled`, when it is free. */
  const slot = (): Uint8Array => {
    for (;;) {
      const done = Atomics.load(counters, USED);
      if (filled - done < slots.length) return slots[filled % slots.length]!;
      Atomics.wait(counters, USED, done);
    }
  };
  const publish = (length: number): void => {
    lengths[filled % slots.length] = length;
    stored[filled % slots.length] = read;
    [used, read] = [0, 0];
    Atomics.store(counters, FILLED, ++filled);
    Atomics.notify(counters, FILLED);
  };
  return {
    put(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const into = slot();
        const part = bytes.subarray(at, at + into.length - used);
        into.set(part, used);
        used += part.length;
        at += part.length;
        if (used === into.length) publish(used);
      }
    },
    read(bytes) {
      read += bytes;
    },
    end(end) {
      if (used > 0) publish(used);
      const json = new TextEncoder().encode(JSON.stringify(end));
      slot().set(json);
      publish(-1 - json.length);
    },
  };
}

/** What slot `at` has, counted from the beginning, once it is filled; it is used until `release`. */
export function slotOf(
  { slots, lengths, stored }: Ring,
  at: number,
): { bytes: Uint8Array; read: number } | { end: End } {
  const index = at % slots.length;
  const length = lengths[index]!;
  if (length >= 0) return { bytes: slots[index]!.subarray(0, length), read: stored[index]! };
  // TextDecoder takes no shared memory.
  const end: End = JSON.parse(new TextDecoder().decode(slots[index]!.slice(0, -1 - length)));
  return { end };
}

/** The first `count` slots may be filled anew. */
export function release({ counters }: Ring, count: number): void {
  Atomics.store(counters, USED, count);
  Atomics.notify(counters, USED);
}
