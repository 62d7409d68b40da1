// tinyrun wait CONTAINER...: waits for the end of each, and prints its exit code.
import { resolveContainer } from '../../container/find.ts';
import { waitForContainer } from '../../container/wait.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';
import { forEach } from '../each.ts';

export const run = (line: CommandLine, global: GlobalOptions): Promise<number> =>
  forEach(line.args, global, (name) => {
    const ended = waitForContainer(global, resolveContainer(global, name));
    print(1, `${ended?.exitCode ?? 0}\n`);
  });
