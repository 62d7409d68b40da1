// tinyrun volume mount VOLUME...: prints the directory of each.
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { KEPT, mountVolume } from '../../volume/mounted.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';

export const run = ({ args }: CommandLine, global: GlobalOptions): Promise<number> =>
  forEach(args, global, async (name) => {
    print(1, `${await mountVolume(global.dataRoot, name, KEPT)}\n`);
  });
