// tinyrun restart [-s SIGNAL] [-t SECONDS] CONTAINER...: stops and starts; one that does not run is started.
import { resolveContainer } from '../../container/find.ts';
import { stopContainer } from '../../container/stop.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { callForEach } from '../call.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';
import { toStopOptions } from '../stop-options.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const options = toStopOptions(line);
  const restart = async (name: string): Promise<number> => {
    const stopped = await forEach([name], global, () =>
      stopContainer(global, resolveContainer(global, name), options),
    );
    return stopped === 0 ? callForEach('start', [], [name], global) : stopped;
  };
  let code = 0;
  for (const name of line.args) code = (await restart(name)) || code;
  return code;
}
