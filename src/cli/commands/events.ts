// tinyrun events
import { TinyrunError } from '../../errors.ts';
import { containerStatistics, followContainer } from '../../runtime/events.ts';
import { assertId } from '../../runtime/id.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { parseDuration } from '../duration.ts';

export function run(line: CommandLine, { root }: GlobalOptions): number {
  const id = line.args[0] ?? '';
  assertId(id);
  const interval = readInterval(text(line, 'interval') ?? '5s');
  if (flag(line, 'stats')) print(1, containerStatistics(root, id));
  else followContainer(root, id, interval, (event) => print(1, event));
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
