// The clock that all processes share.

import { rawSyscall } from '../native-bindings/libc.ts';

const CLOCK_MONOTONIC = 1; // <time.h>

/** What Bun.nanoseconds(), which counts from this process's start, lacks to CLOCK_MONOTONIC. */
export function monotonicOffset(): number {
  const time = new BigInt64Array(2); // struct timespec
  rawSyscall('clock_gettime', CLOCK_MONOTONIC, new Uint8Array(time.buffer), 0);
  const now = Bun.nanoseconds();
  return Number(time[0]! * 1_000_000_000n + time[1]!) - now;
}
