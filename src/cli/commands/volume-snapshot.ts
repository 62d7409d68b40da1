// tinyrun volume snapshot VOLUME [NAME]: prints the name.
import { startProgress } from '../../archive/progress.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { snapshotVolume } from '../../volume/clone.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(
  { args: [from = '', name] }: CommandLine,
  { dataRoot }: GlobalOptions,
): Promise<number> {
  const progress = startProgress(`snapshot ${from}`);
  try {
    const snapshot = await snapshotVolume(dataRoot, from, name, progress.advance);
    print(1, `${snapshot.name}\n`);
  } finally {
    progress.end();
  }
  return 0;
}
