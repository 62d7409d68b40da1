// tinyrun ps
import { assertId } from '../../runtime/id.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { containerPids, formatPids, processTable } from '../../runtime/ps.ts';
import { byName } from '../by-name.ts';
import { type CommandLine, text } from '../command-line.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const id = line.args[0] ?? '';
  assertId(id);
  const pids = await byName(global, id, (one) => containerPids(global.root, one));
  print(1, text(line, 'format') === 'json' ? formatPids(pids) : processTable(pids, line.rest ?? []));
  return 0;
}
