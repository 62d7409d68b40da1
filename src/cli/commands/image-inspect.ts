// tinyrun image inspect
import { inspectImage } from '../../image/inspect.ts';
import { resolveImage } from '../../image/store.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, text } from '../command-line.ts';
import { forEach } from '../each.ts';
import { formatInspect } from '../format/inspect.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const found: unknown[] = [];
  const code = await forEach(line.args, global, (called) => {
    found.push(inspectImage(global.dataRoot, resolveImage(global.dataRoot, called)));
  });
  print(1, formatInspect(text(line, 'format'), found));
  return code;
}
