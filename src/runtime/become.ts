// The end of JavaScript: this process becomes a program. What the program inherits besides its input is outputs.ts.

import { becomeImage } from '../engine/image.ts';
import { linkProgram } from '../engine/native.ts';
import type { HostFacts } from '../plan/host.ts';
import type { Program } from '../program/op.ts';
import type { Log } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';

/** The lines that a trace shows, which explain/ makes. */
export type TraceLines = (program: Program) => Promise<string[]>;

/**
 * Replaces this process by a program, by the engine that was asked for.
 * @param keep gets the executable, where the engine makes one, before it is executed
 * @throws TinyrunError where it cannot
 */
export async function becomeProgram(
  { root }: GlobalOptions,
  { engine, trace }: Pick<RunOptions, 'engine' | 'trace'>,
  { arch }: HostFacts,
  log: Log,
  program: Program,
  traceLines: TraceLines,
  keep: (image: Uint8Array) => void = () => {},
): Promise<never> {
  const lines = trace === undefined ? undefined : await traceLines(program);
  const options = { name: 'tinyrun', fallbackDirectory: root, debug: log.debug };
  if (engine === 'ffi') {
    const ffi = await import('../engine/ffi.ts');
    return ffi.becomeProgram(program, arch, lines === undefined ? options : { ...options, lines });
  }
  const image = linkProgram(program, arch, lines);
  keep(image);
  return becomeImage(image, options);
}
