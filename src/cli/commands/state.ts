// tinyrun state
import { assertId } from '../../runtime/id.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { stateText } from '../../runtime/state.ts';
import { keepVerb } from '../../runtime/verb-cache.ts';
import { byName } from '../by-name.ts';
import type { CommandLine } from '../command-line.ts';

export async function run({ args: [id = ''] }: CommandLine, global: GlobalOptions): Promise<number> {
  assertId(id);
  print(1, await byName(global, id, (one) => stateText(global.root, one)));
  await keepVerb(global.root, { name: 'state' });
  return 0;
}
