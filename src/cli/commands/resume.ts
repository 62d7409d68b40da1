// tinyrun resume
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { resumeContainer } from '../../runtime/pause.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [id = ''] }: CommandLine, { root }: GlobalOptions): number {
  assertId(id);
  resumeContainer(root, id);
  return 0;
}
