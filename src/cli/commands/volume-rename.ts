// tinyrun volume rename VOLUME NAME
import type { GlobalOptions } from '../../runtime/options.ts';
import { renameVolume } from '../../volume/store.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(
  { args: [from = '', to = ''] }: CommandLine,
  { dataRoot }: GlobalOptions,
): Promise<number> {
  await renameVolume(dataRoot, from, to);
  return 0;
}
