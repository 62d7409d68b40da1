// tinyrun volume rm [-f] VOLUME...: prints the names of those that are gone.

import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { repairUses } from '../../runtime/stale-uses.ts';
import { removeVolume } from '../../volume/remove.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { forEach } from '../each.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  await repairUses(global);
  return forEach(line.args, global, async (name) => {
    await removeVolume(global.dataRoot, name, { force: flag(line, 'force') });
    print(1, `${name}\n`);
  });
}
