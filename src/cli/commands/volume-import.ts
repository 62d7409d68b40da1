// tinyrun volume import VOLUME [FILE]
import { isTerminal } from '../../../native-bindings/libc.ts';
import { startProgress } from '../../archive/progress.ts';
import { sourceOfFd, sourceOfFile } from '../../archive/source.ts';
import { TinyrunError } from '../../errors.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { importVolume } from '../../volume/transfer.ts';
import type { CommandLine } from '../command-line.ts';
import { absolute } from '../global.ts';

export async function run(
  { args: [name = '', file = '-'] }: CommandLine,
  { dataRoot }: GlobalOptions,
  cwd: string,
): Promise<number> {
  if (file === '-' && isTerminal(0))
    throw new TinyrunError('USAGE', `import volume ${name}: standard input is a terminal`, {
      hint: 'name a file, or pipe an archive in',
    });
  const from = file === '-' ? 'standard input' : file;
  const source = file === '-' ? sourceOfFd(0, from) : sourceOfFile(absolute(file, cwd));
  const progress = startProgress(`import ${name}`);
  try {
    await importVolume(dataRoot, name, source, from, progress.advance);
  } finally {
    progress.end();
  }
  return 0;
}
