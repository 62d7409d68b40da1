// tinyrun pause ID...
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { pauseContainer } from '../../runtime/pause.ts';
import { byName } from '../by-name.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';

export async function run({ args }: CommandLine, global: GlobalOptions): Promise<number> {
  const pause = (called: string): Promise<void> => {
    assertId(called);
    return byName(global, called, (id) => pauseContainer(global.root, id), true);
  };
  if (args.length > 1) return await forEach(args, global, pause);
  await pause(args[0] ?? '');
  return 0;
}
