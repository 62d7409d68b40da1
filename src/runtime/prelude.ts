// What native-bindings/prelude.c noted before the JavaScript engine started: the engine raises the soft limit of open
// files before any script runs, and it can't be asked for afterwards. The prelude is a segment of the executable, at a
// fixed address; only the build that put it there says so (TINYRUN_PRELUDE), since reading elsewhere would crash.

import { type Pointer, read } from 'bun:ffi';

/** Set by scripts/build.ts; not defined when the sources are run as they are. */
declare const TINYRUN_PRELUDE: true | undefined;

/** Where the segment is linked: above all that the engine's executable occupies, whose heap then starts behind it. */
export const PRELUDE_ADDRESS = 0x50000000;
/** The page of facts stands behind the code, a page of the largest kind (64 KiB, aarch64) further. */
export const PRELUDE_DATA_ADDRESS = PRELUDE_ADDRESS + 0x10000;

const MAGIC = 0x4544554c45525054n; // "TPRELUDE"; keep in sync with struct page of prelude.c
const [magicAt, softAt, hardAt, startedAt, openFdsAt] = [0, 8, 16, 24, 32];

export interface Prelude {
  /** RLIMIT_NOFILE as the caller left it. */
  noFile: { soft: number; hard: number };
  /** When the process started: nanoseconds of CLOCK_MONOTONIC. */
  startedAt: number;
  /** Which of the first 64 file descriptors were open, as two words of 32 bits. */
  openFds: readonly [number, number];
}

/** Returns the prelude's facts; undefined where there is none (`bun src/cli/main.ts`). */
export function readPrelude(): Prelude | undefined {
  if (typeof TINYRUN_PRELUDE === 'undefined') return undefined;
  const page = PRELUDE_DATA_ADDRESS as Pointer;
  if (read.u64(page, magicAt) !== MAGIC) return undefined;
  const number = (at: number) => Number(read.u64(page, at));
  return {
    noFile: { soft: number(softAt), hard: number(hardAt) },
    startedAt: number(startedAt),
    openFds: [read.u32(page, openFdsAt), read.u32(page, openFdsAt + 4)],
  };
}
