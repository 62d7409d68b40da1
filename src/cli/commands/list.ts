// tinyrun list
import { formatIds, formatJson, formatTable, listContainers, readUsers } from '../../runtime/list.ts';
import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text } from '../command-line.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const containers = await listContainers(global, createLog(global));
  if (flag(line, 'quiet')) print(1, formatIds(containers));
  else if (text(line, 'format') === 'json') print(1, formatJson(containers, readUsers()));
  else print(1, formatTable(containers, readUsers()));
  return 0;
}
