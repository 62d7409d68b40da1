// tinyrun export [--include-volumes] [-o FILE] CONTAINER
import { exportContainer } from '../../container/export.ts';
import { resolveContainer } from '../../container/find.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { writeOutput } from '../output.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const record = resolveContainer(global, line.args[0]!);
  const wanted = flag(line, 'include-volumes') ? 'with volumes' : 'the root alone';
  await writeOutput(line, cwd, (sink) => exportContainer(global, record, sink, wanted));
  return 0;
}
