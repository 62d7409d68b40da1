// tinyrun state
import { assertId } from '../../runtime/id.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { stateText } from '../../runtime/state.ts';
import { keepVerb } from '../../runtime/verb-cache.ts';
import type { CommandLine } from '../command-line.ts';

export async function run({ args: [id = ''] }: CommandLine, { root }: GlobalOptions): Promise<number> {
  assertId(id);
  print(1, stateText(root, id));
  await keepVerb(root, { name: 'state' });
  return 0;
}
