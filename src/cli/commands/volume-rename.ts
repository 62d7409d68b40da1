// tinyrun volume rename VOLUME NAME
import type { GlobalOptions } from '../../runtime/options.ts';
import { repairUses } from '../../runtime/stale-uses.ts';
import { renameVolume } from '../../volume/store.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(
  { args: [from = '', to = ''] }: CommandLine,
  global: GlobalOptions,
): Promise<number> {
  await repairUses(global);
  await renameVolume(global.dataRoot, from, to);
  return 0;
}
