// tinyrun kill ID [SIGNAL], as runc; tinyrun kill --signal SIGNAL CONTAINER..., as Docker
import { TinyrunError } from '../../errors.ts';
import { assertId } from '../../runtime/id.ts';
import { killContainer } from '../../runtime/kill.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { keepVerb } from '../../runtime/verb-cache.ts';
import { parseSignal } from '../../sys/signals.ts';
import { byName } from '../by-name.ts';
import { type CommandLine, flag, text } from '../command-line.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const id = line.args[0] ?? '';
  const named = text(line, 'signal');
  if (named === undefined && line.args.length > 2)
    throw new TinyrunError(
      'USAGE',
      `kill takes an id and a signal; ${line.args.length} arguments were given`,
      {
        hint: 'to several containers: kill --signal SIGNAL CONTAINER...',
      },
    );
  const name = named || line.args[1] || 'SIGTERM'; // an empty word is none, as for runc
  const signal = parseSignal(name);
  if (signal === undefined)
    throw new TinyrunError('USAGE', `kill container ${id}: unknown signal ${JSON.stringify(name)}`);
  const kill = (one: string): Promise<void> => killContainer(global, one, signal, flag(line, 'all'));
  if (flag(line, 'regex')) {
    await (await import('../../runtime/matching.ts')).forEachMatch(global.root, id, kill);
  } else if (named !== undefined) {
    const { forEach } = await import('../each.ts');
    return await forEach(line.args, global, (one) => byName(global, one, kill, true));
  } else {
    assertId(id);
    await byName(global, id, kill, true);
    if (!flag(line, 'all')) await keepVerb(global.root, { name: 'kill', signal }, ...line.args.slice(1));
  }
  return 0;
}
