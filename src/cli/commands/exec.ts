// tinyrun exec
import { TinyrunError } from '../../errors.ts';
import { EXEC_FAILED, EXIT, execInContainer } from '../../runtime/exec.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';
import { toExecOptions } from '../exec-options.ts';
import { traceLines } from '../trace.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<never> {
  try {
    return await execInContainer(global, toExecOptions(line, cwd), traceLines);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const known = error instanceof TinyrunError ? error : undefined;
    throw new TinyrunError(known?.code ?? 'HOST', EXEC_FAILED + error.message, {
      cause: error,
      exit: EXIT,
      ...(known?.hint === undefined ? {} : { hint: known.hint }),
      data: known?.data ?? {},
    });
  }
}
