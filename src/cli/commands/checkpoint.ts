// tinyrun checkpoint
import { checkpointContainer } from '../../runtime/checkpoint.ts';
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';
import { toDumpOptions } from '../criu-options.ts';
import { engineOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<never> {
  const id = line.args[0]!;
  assertId(id);
  return checkpointContainer(
    global,
    id,
    toDumpOptions(line, cwd),
    engineOptions(line, cwd).trace,
    traceLines,
  );
}
