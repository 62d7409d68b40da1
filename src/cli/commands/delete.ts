// tinyrun delete
import { deleteContainer } from '../../runtime/delete.ts';
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';

export function run(line: CommandLine, global: GlobalOptions): number {
  const id = line.args[0] ?? '';
  assertId(id);
  deleteContainer(global, id, flag(line, 'force'));
  return 0;
}
