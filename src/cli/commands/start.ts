// tinyrun start
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { startContainer } from '../../runtime/start.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [id = ''] }: CommandLine, global: GlobalOptions): Promise<number> {
  assertId(id);
  return startContainer(global, id);
}
