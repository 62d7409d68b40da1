// What native-bindings/prelude.c noted before the JavaScript engine started: the engine raises the soft limit of open
// files before any script runs, and it can't be asked for afterwards. The prelude is a segment of the executable, at a
// fixed address; only the build that put it there says so (TINYRUN_PRELUDE), since reading elsewhere would crash.

import { type Pointer, read, toArrayBuffer } from 'bun:ffi';

/** Set by scripts/build.ts; not defined when the sources are run as they are. */
declare const TINYRUN_PRELUDE: true | undefined;

/** Where the segment is linked: above all that the engine's executable occupies, whose heap then starts behind it. */
export const PRELUDE_ADDRESS = 0x50000000;
/** The facts stand behind the code, a page of the largest kind (64 KiB, aarch64) further. */
export const PRELUDE_DATA_ADDRESS = PRELUDE_ADDRESS + 0x10000;

const MAGIC = 0x4544554c45525054n; // "TPRELUDE"; keep in sync with struct facts of prelude.h
const [magicAt, softAt, hardAt, startedAt, openFdsAt] = [0, 8, 16, 24, 32];
const [invocationSizeAt, nameAt, cwdRemovedAt, wordsAt, invocationAt] = [40, 44, 63, 64, 96];
const NAME_LENGTH = 16;
/** Words of the command line that differ from call to call, in the launcher's order. */
export const PARAMETERS = ['given id', 'pid file', 'console socket', 'log file', 'process file'] as const;
export type Parameter = (typeof PARAMETERS)[number];

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
  const facts = PRELUDE_DATA_ADDRESS as Pointer;
  if (read.u64(facts, magicAt) !== MAGIC) return undefined;
  const number = (at: number) => Number(read.u64(facts, at));
  return {
    noFile: { soft: number(softAt), hard: number(hardAt) },
    startedAt: number(startedAt),
    openFds: [read.u32(facts, openFdsAt), read.u32(facts, openFdsAt + 4)],
  };
}

/** What relative paths start at where the working directory was removed: nothing is there, and nothing can be made. */
const REMOVED = '/proc/the removed working directory';

/** The working directory of the caller. */
export function workingDirectory(): string {
  const cwd = process.cwd();
  if (cwd !== '/' || readPrelude() === undefined) return cwd;
  return read.u8(PRELUDE_DATA_ADDRESS as Pointer, cwdRemovedAt) === 1 ? REMOVED : cwd;
}

/** What the prelude puts into the environment, for the engine alone; keep in sync with prelude.c. */
const OWN_VARIABLES: readonly string[] = ['BUN_JSC_useWarmUpMarkedBlocks', 'BUN_JSC_useFTLJIT'];

/** The environment that tinyrun was called with, `NAME=value` each, but for what would steer the engine. */
export const callerEnvironment = (): string[] =>
  Object.entries(process.env)
    .filter(([name]) => !OWN_VARIABLES.includes(name))
    .map(([name, value]) => `${name}=${value}`);

/** What a program is kept for (native-bindings/launch.c). */
export interface Invocation {
  /** Of its file. */
  name: string;
  /** All that must be the same when it is used: only the launcher knows what is in it. */
  bytes: Uint8Array;
  /** The words that need not be the same: only their lengths are in it, and of the process file not even that. */
  parameters: Readonly<Partial<Record<Parameter, string>>>;
}

/** The invocation, where it is one that the launcher has looked for a program of. */
export function readInvocation(): Invocation | undefined {
  if (readPrelude() === undefined) return undefined;
  const facts = PRELUDE_DATA_ADDRESS as Pointer;
  const size = read.u32(facts, invocationSizeAt);
  if (size === 0) return undefined;
  const copy = (at: number, length: number) => new Uint8Array(toArrayBuffer(facts, at, length)).slice();
  const parameters: Partial<Record<Parameter, string>> = {};
  PARAMETERS.forEach((parameter, i) => {
    const word = read.u32(facts, wordsAt + 4 * i);
    if (word > 0) parameters[parameter] = process.argv[word + 1]!; // the engine puts the script's name in between
  });
  const name = new TextDecoder().decode(copy(nameAt, NAME_LENGTH));
  return { name, bytes: copy(invocationAt, size), parameters };
}
