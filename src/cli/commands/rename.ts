// tinyrun rename CONTAINER NEW-NAME
import { resolveContainer } from '../../container/find.ts';
import { renameContainer } from '../../container/rename.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(
  { args: [called = '', name = ''] }: CommandLine,
  global: GlobalOptions,
): Promise<number> {
  await renameContainer(global.dataRoot, resolveContainer(global, called), name);
  return 0;
}
