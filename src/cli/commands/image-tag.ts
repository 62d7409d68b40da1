// tinyrun image tag
import { parseReference } from '../../image/reference.ts';
import { tagImage } from '../../image/store.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions): Promise<number> {
  const [source = '', target = ''] = line.args;
  await tagImage(dataRoot, source, parseReference(target));
  return 0;
}
