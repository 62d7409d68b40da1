// tinyrun image rm, rmi
import { type Removal, removeImage } from '../../image/remove.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { forEach } from '../each.ts';
import { imageUsers } from '../image-users.ts';

export const run = (line: CommandLine, global: GlobalOptions): Promise<number> =>
  forEach(line.args, global, async (called) => {
    const force = flag(line, 'force');
    const keepLayers = flag(line, 'no-prune');
    const { removals } = await removeImage(global.dataRoot, called, {
      force,
      keepLayers,
      users: imageUsers(global),
    });
    print(1, removals.map(formatRemoval).join(''));
  });

const formatRemoval = (removal: Removal): string =>
  'Untagged' in removal ? `Untagged: ${removal.Untagged}\n` : `Deleted: ${removal.Deleted}\n`;
