// tinyrun volume attach CONTAINER SPEC
import { attachMount } from '../../runtime/hot-mount.ts';
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { byName } from '../by-name.ts';
import type { CommandLine } from '../command-line.ts';
import { engineOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [called = '', spec = ''] = line.args;
  const { trace } = engineOptions(line, cwd);
  assertId(called);
  return byName(global, called, (id) => attachMount(global, { id, trace, traceLines }, spec, cwd));
}
