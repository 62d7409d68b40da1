// tinyrun stop [-s SIGNAL] [-t SECONDS] CONTAINER...: prints the names of those that are stopped.
import { resolveContainer } from '../../container/find.ts';
import { stopContainer } from '../../container/stop.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';
import { toStopOptions } from '../stop-options.ts';

export function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const options = toStopOptions(line);
  return forEach(line.args, global, async (name) => {
    await stopContainer(global, resolveContainer(global, name), options);
    print(1, `${name}\n`);
  });
}
