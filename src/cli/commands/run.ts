// tinyrun run
import type { GlobalOptions } from '../../runtime/options.ts';
import { runContainer } from '../../runtime/run.ts';
import type { CommandLine } from '../command-line.ts';
import { toRunOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export const run = (line: CommandLine, global: GlobalOptions, cwd: string): Promise<never> =>
  runContainer(global, toRunOptions(line, cwd), traceLines);
