// tinyrun volume clone VOLUME NAME: prints the name.
import { startProgress } from '../../archive/progress.ts';
import { toLabels } from '../../container/key-value.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { cloneVolume } from '../../volume/clone.ts';
import { type CommandLine, texts } from '../command-line.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions): Promise<number> {
  const [from = '', name = ''] = line.args;
  const progress = startProgress(`clone ${from}`);
  const labels = toLabels(texts(line, 'label'));
  try {
    await cloneVolume(dataRoot, from, name, { labels, onEntry: progress.advance });
  } finally {
    progress.end();
  }
  print(1, `${name}\n`);
  return 0;
}
