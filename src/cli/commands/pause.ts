// tinyrun pause
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { pauseContainer } from '../../runtime/pause.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [id = ''] }: CommandLine, { root }: GlobalOptions): number {
  assertId(id);
  pauseContainer(root, id);
  return 0;
}
