// tinyrun kill
import { TinyrunError } from '../../errors.ts';
import { assertId } from '../../runtime/id.ts';
import { killContainer } from '../../runtime/kill.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { parseSignal } from '../../sys/signals.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [id = '', name = 'SIGTERM'] }: CommandLine, global: GlobalOptions): number {
  assertId(id);
  const signal = parseSignal(name);
  if (signal === undefined)
    throw new TinyrunError('USAGE', `kill container ${id}: unknown signal ${JSON.stringify(name)}`);
  killContainer(global, id, signal);
  return 0;
}
