// tinyrun create
import type { GlobalOptions } from '../../runtime/options.ts';
import { runContainer } from '../../runtime/run.ts';
import type { CommandLine } from '../command-line.ts';
import { toCreateOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export const run = (line: CommandLine, global: GlobalOptions, cwd: string): Promise<never> =>
  runContainer(global, toCreateOptions(line, cwd), traceLines);
