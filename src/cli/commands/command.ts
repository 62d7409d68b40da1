// What a command's module gives.

import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';

/** `run` gives the exit code, unless the process becomes a container. */
export interface Command {
  run(line: CommandLine, global: GlobalOptions, cwd: string): number | Promise<number>;
}
