// tinyrun resume ID...  (Docker's unpause)
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { resumeContainer } from '../../runtime/pause.ts';
import { byName } from '../by-name.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';

export async function run({ args }: CommandLine, global: GlobalOptions): Promise<number> {
  const resume = (called: string): Promise<void> => {
    assertId(called);
    return byName(global, called, (id) => resumeContainer(global.root, id), true);
  };
  if (args.length > 1) return await forEach(args, global, resume);
  await resume(args[0] ?? '');
  return 0;
}
