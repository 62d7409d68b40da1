// Memory that two threads share: slots that one fills and the other hashes, in turns, and four counters.
//
//   filler: waits until HASHED > FILLED - slots, fills slot FILLED, FILLED + 1     at the end first: SLOTS, LAST_BYTES
//   hasher: waits until FILLED > HASHED, hashes slot HASHED, HASHED + 1            until that is SLOTS

export interface Ring {
  counters: Int32Array<SharedArrayBuffer>;
  slots: Uint8Array<SharedArrayBuffer>[];
}

/** Slots that are filled, and hashed, since the beginning. */
export const FILLED = 0;
export const HASHED = 1;
/** How many there are in all, and bytes in the last one; -1: not known yet. */
export const SLOTS = 2;
export const LAST_BYTES = 3;

/** Makes one, with nothing in it. */
export const newRing = (slots: number, bytes: number): Ring => ({
  counters: new Int32Array(new SharedArrayBuffer(16)).fill(-1, SLOTS),
  slots: Array.from({ length: slots }, () => new Uint8Array(new SharedArrayBuffer(bytes))),
});
