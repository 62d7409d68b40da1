// tinyrun volume unmount VOLUME...: of one that is not mounted, nothing.
import type { GlobalOptions } from '../../runtime/options.ts';
import { KEPT, releaseVolume } from '../../volume/mounted.ts';
import { findRecord, noSuchVolume } from '../../volume/record.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';

export const run = ({ args }: CommandLine, global: GlobalOptions): Promise<number> =>
  forEach(args, global, async (name) => {
    if (findRecord(global.dataRoot, name) === undefined) throw noSuchVolume(name);
    await releaseVolume(global.dataRoot, name, KEPT);
  });
