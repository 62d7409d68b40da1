// tinyrun events
import { TinyrunError } from '../../errors.ts';
import { containerStatistics, followContainer } from '../../runtime/events.ts';
import { assertId } from '../../runtime/id.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { byName } from '../by-name.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { parseDuration } from '../duration.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const id = line.args[0] ?? '';
  assertId(id);
  const interval = readInterval(text(line, 'interval') ?? '5s');
  const show = (one: string): void => {
    if (flag(line, 'stats')) print(1, containerStatistics(global.root, one));
    else followContainer(global.root, one, interval, (event) => print(1, event));
  };
  await byName(global, id, show);
  return 0;
}

/** Milliseconds. */
function readInterval(text: string): number {
  const interval = parseDuration(text);
  if (interval === undefined)
    throw new TinyrunError('USAGE', `invalid value ${JSON.stringify(text)} for --interval`, {
      hint: 'a duration is 500ms, 5s or 1m30s',
    });
  if (interval <= 0) throw new TinyrunError('USAGE', 'duration interval must be greater than 0'); // runc's words
  return interval;
}
