// tinyrun start
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { startContainer } from '../../runtime/start.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [id = ''] }: CommandLine, global: GlobalOptions): number {
  assertId(id);
  startContainer(global, id);
  return 0;
}
