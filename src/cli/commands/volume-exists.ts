// tinyrun volume exists VOLUME: tells by its exit code alone.
import type { GlobalOptions } from '../../runtime/options.ts';
import { findVolume } from '../../volume/store.ts';
import type { CommandLine } from '../command-line.ts';

export const run = async (
  { args: [name = ''] }: CommandLine,
  { dataRoot }: GlobalOptions,
): Promise<number> => ((await findVolume(dataRoot, name)) === undefined ? 1 : 0);
