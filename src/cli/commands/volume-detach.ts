// tinyrun volume detach [-f] CONTAINER TARGET
import { detachMount } from '../../runtime/hot-detach.ts';
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { byName } from '../by-name.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { engineOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [called = '', target = ''] = line.args;
  const { trace } = engineOptions(line, cwd);
  assertId(called);
  return byName(global, called, (id) =>
    detachMount(global, { id, trace, traceLines }, target, flag(line, 'force')),
  );
}
