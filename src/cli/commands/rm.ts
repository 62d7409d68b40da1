// tinyrun rm [-f] [-v] CONTAINER...: prints the names of those that are gone.
import { assertNoBundle, findContainerRecord, resolveContainer } from '../../container/find.ts';
import { removeContainer } from '../../container/remove.ts';
import { TinyrunError } from '../../errors.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { forEach } from '../each.ts';

export function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  if (flag(line, 'link'))
    throw new TinyrunError('UNSUPPORTED', 'rm --link: tinyrun has no links between containers', {
      hint: 'use --network container:NAME',
    });
  const force = flag(line, 'force');
  return forEach(line.args, global, async (name) => {
    const record = force ? findContainerRecord(global.dataRoot, name) : resolveContainer(global, name);
    if (record === undefined) {
      assertNoBundle(global.root, name);
      // As Docker: one that is not there is told of, and by force no failure.
      return print(2, `tinyrun: No such container: ${name}\n`);
    }
    await removeContainer(global, record, { force, volumes: flag(line, 'volumes') });
    print(1, `${name}\n`);
  });
}
