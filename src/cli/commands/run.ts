// tinyrun run
import type { GlobalOptions } from '../../runtime/options.ts';
import { runContainer } from '../../runtime/run.ts';
import type { CommandLine } from '../command-line.ts';
import { explicitForm, toRunOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const form = explicitForm(line) ?? (await import('../target.ts')).findTarget(line, global);
  if (form === 'image') return (await import('./run-image.ts')).run(line, global, cwd);
  return await runContainer(global, toRunOptions(line, cwd, form), traceLines);
}
