// tinyrun volume export VOLUME [-o FILE]
import { compress } from '../../archive/compress.ts';
import { startProgress } from '../../archive/progress.ts';
import { createLog } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { exportVolume } from '../../volume/transfer.ts';
import type { CommandLine } from '../command-line.ts';
import { compressionOf, writeOutput } from '../output.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [name = ''] = line.args;
  const log = createLog(global);
  const progress = startProgress(`export ${name}`);
  try {
    await writeOutput(line, cwd, async (sink) => {
      const compressed = compress(compressionOf(line), {
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
