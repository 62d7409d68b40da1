// tinyrun volume export VOLUME [-o FILE]
import { isTerminal } from '../../../native-bindings/libc.ts';
import { type Compression, compress } from '../../archive/compress.ts';
import { startProgress } from '../../archive/progress.ts';
import { TinyrunError } from '../../errors.ts';
import { createLog } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { exportVolume } from '../../volume/transfer.ts';
import { type CommandLine, text } from '../command-line.ts';
import { absolute } from '../global.ts';
import { withOutput } from '../output-file.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [name = ''] = line.args;
  const output = text(line, 'output');
  if (output === undefined && isTerminal(1))
    throw new TinyrunError(
      'USAGE',
      `export volume ${name}: cowardly refusing to write an archive to a terminal`,
      {
        hint: 'use -o FILE, or redirect',
      },
    );
  const log = createLog(global);
  const progress = startProgress(`export ${name}`);
  try {
    await withOutput(output === undefined ? undefined : absolute(output, cwd), async (sink) => {
      const compressed = compress(compression(text(line, 'compress')), {
        async write(bytes) {
          await sink.write(bytes);
          progress.advance(bytes.length);
        },
      });
      await exportVolume(global.dataRoot, name, compressed, (file) =>
        log.warn(`export volume ${name}: ${file} changed while it was read`),
      );
      await compressed.end();
    });
  } finally {
    progress.end();
  }
  return 0;
}

const compression = (given: string | undefined): Compression =>
  given === 'gzip' || given === 'zstd' ? given : 'none';
