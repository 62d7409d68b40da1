// tinyrun state
import { assertId } from '../../runtime/id.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { stateText } from '../../runtime/state.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [id = ''] }: CommandLine, { root }: GlobalOptions): number {
  assertId(id);
  print(1, stateText(root, id));
  return 0;
}
