// What engines share. An engine runs a program to its end, in place of the calling process (`become`) or in a child
// of it (`spawn`); the recorder only pretends to. All read the same encoded form and mean the same by it: what an op
// does is said once, in spec/program.md, and test/engine/cases.ts holds every engine to it.

import type { Arch } from '../program/encode.ts';
import type { Program } from '../program/op.ts';

export type EngineName = 'native' | 'ffi' | 'recorder';

/** What one op gave. */
export interface OpResult {
  /** Its number: ops are counted over both sections, without labels. */
  number: number;
  /** The op as a trace shows it. */
  text: string;
  /** What a register would receive; of a failed call the negative errno. */
  value: number;
  /** The errno's name, where a call failed. */
  errno?: string;
}

export interface EngineOptions {
  /** argv[0] of the process that the program runs in. */
  name: string;
  /** What a trace shows of each op, in order, labels not counted. */
  lines?: readonly string[];
  /** A directory on a filesystem without `noexec`, for machines that do not execute files in memory. */
  fallbackDirectory: string;
  /** Takes a line for `--debug`. */
  debug: (text: string) => void;
}

export interface SpawnOptions extends EngineOptions {
  /** Fd 0: what can be read there, or a file descriptor; default nothing. */
  stdin?: Uint8Array | number;
  /** Fds 1 and 2: a file descriptor; default: collected. */
  stdout?: number;
  stderr?: number;
  /** Descriptors that the program finds at 3, 4, ... */
  inherit?: readonly number[];
}

/** How a program in a child ended. What went to a given file descriptor is not collected. */
export interface Finished {
  /** The exit code; 128 + signal if a signal ended it. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** An engine that runs programs. Both throw TinyrunError where the program cannot be started. */
export interface Engine {
  /** Replaces this process by the program. */
  becomeProgram(program: Program, arch: Arch, options: EngineOptions): never;
  /** Runs the program in a child process and waits for its end. */
  spawnProgram(program: Program, arch: Arch, options: SpawnOptions): Promise<Finished>;
}
