// The default engine: the program and the C interpreter (native-bindings/init.c), linked into one small executable
// that takes the place of the JavaScript process (image.ts).

import { close } from '../../native-bindings/libc.ts';
import { type Arch, encode } from '../program/encode.ts';
import { link } from '../program/link.ts';
import type { Program } from '../program/op.ts';
import type { EngineOptions, Finished, SpawnOptions } from './engine.ts';
import { becomeImage, executable } from './image.ts';
import { interpreterCode } from './locate.ts';
import { finished } from './spawn.ts';

/** Returns the executable's bytes. Throws PROGRAM if the program cannot be encoded. */
export function linkProgram(
  program: Program,
  arch: Arch,
  lines?: readonly string[],
): Uint8Array<ArrayBuffer> {
  return link(encode(program, arch, lines), interpreterCode(arch), arch);
}

/** Replaces this process by the program, with an empty environment. Returns never; throws HOST or PROGRAM. */
export function becomeProgram(program: Program, arch: Arch, options: EngineOptions): never {
  return becomeImage(linkProgram(program, arch, options.lines), options);
}

/** Runs the program in a child with an empty environment, and waits for its end. Throws HOST or PROGRAM. */
export async function spawnProgram(program: Program, arch: Arch, options: SpawnOptions): Promise<Finished> {
  const fd = executable(linkProgram(program, arch, options.lines), options);
  try {
    return await finished([`/proc/self/fd/${fd}`], options, {}, [...(options.inherit ?? [])]);
  } finally {
    close(fd);
  }
}
