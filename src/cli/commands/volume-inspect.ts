// tinyrun volume inspect VOLUME...

import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { inspectVolume } from '../../volume/inspect.ts';
import { resolveVolume } from '../../volume/store.ts';
import { type CommandLine, text } from '../command-line.ts';
import { forEach } from '../each.ts';
import { formatInspect } from '../format/inspect.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const found: unknown[] = [];
  const code = await forEach(line.args, global, async (name) => {
    found.push(inspectVolume(global.dataRoot, await resolveVolume(global.dataRoot, name)));
  });
  print(1, formatInspect(text(line, 'format'), found));
  return code;
}
