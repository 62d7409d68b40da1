// tinyrun top
import { TinyrunError } from '../../errors.ts';
import { resolveAny } from '../../inspect/find.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { containerPids, processTable } from '../../runtime/ps.ts';
import { findContainer } from '../../runtime/store.ts';
import type { CommandLine } from '../command-line.ts';

export function run(line: CommandLine, global: GlobalOptions): number {
  const found = resolveAny(global, line.args[0] ?? '');
  const id = 'record' in found ? found.record.id : found.container.state.id;
  const status = findContainer(global.root, id)?.state.status;
  if (status === undefined || status === 'stopped')
    throw new TinyrunError('STATE', `container ${id} is not running`, { data: { id } });
  print(1, tableOf(containerPids(global.root, id), line.rest ?? []));
  return 0;
}

/** ps(1) is told which processes, as `-o` alone would give those of our terminal; not every option goes with that. */
function tableOf(pids: readonly number[], args: readonly string[]): string {
  const asked = args.length === 0 ? ['-ef'] : args;
  try {
    return processTable(pids, [...asked, `-q${pids.join(',')}`]);
  } catch (error) {
    if (!(error instanceof TinyrunError) || error.code !== 'HOST') throw error;
    return processTable(pids, asked);
  }
}
