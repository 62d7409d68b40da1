// tinyrun start
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { startContainer } from '../../runtime/start.ts';
import { keepVerb } from '../../runtime/verb-cache.ts';
import type { CommandLine } from '../command-line.ts';

export async function run({ args: [id = ''] }: CommandLine, global: GlobalOptions): Promise<number> {
  assertId(id);
  const code = await startContainer(global, id);
  await keepVerb(global.root, { name: 'start' });
  return code;
}
