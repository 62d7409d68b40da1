// The thread that hashing.ts starts: takes one slot of the ring after the other, and says the digest of them all.

import { FILLED, HASHED, LAST_BYTES, type Ring, SLOTS } from './ring.ts';

addEventListener('message', ({ data }: MessageEvent<Ring>) => {
  const { counters, slots } = data;
  const hasher = new Bun.CryptoHasher('sha256');
  for (let done = 0; ; done++) {
    while (Atomics.load(counters, FILLED) === done) Atomics.wait(counters, FILLED, done);
    const slot = slots[done % slots.length]!;
    const last = Atomics.load(counters, SLOTS) === done + 1;
    hasher.update(last ? slot.subarray(0, Atomics.load(counters, LAST_BYTES)) : slot);
    if (last) break;
    Atomics.store(counters, HASHED, done + 1);
    Atomics.notify(counters, HASHED);
  }
  postMessage(hasher.digest('hex'));
});
