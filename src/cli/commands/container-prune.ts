// tinyrun container prune [-f] [--filter]: removes all containers that do not run.
import { listContainerRecords } from '../../container/record.ts';
import { removeContainer } from '../../container/remove.ts';
import { isAlive } from '../../container/stop.ts';
import { TinyrunError } from '../../errors.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { usageOf } from '../../volume/usage.ts';
import { type CommandLine, flag, texts } from '../command-line.ts';
import { confirm } from '../confirm.ts';
import { parseDuration } from '../duration.ts';
import { forEach } from '../each.ts';
import { labelsMatch, parseFilters } from '../filters.ts';
import { humanSize } from '../format/human.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const filters = parseFilters(texts(line, 'filter'), ['until', 'label', 'label!']);
  const until = filters.get('until')?.map(toTime);
  if (!flag(line, 'force') && !confirm('WARNING! This will remove all stopped containers.')) return 0;
  const unused = listContainerRecords(global.dataRoot).filter(
    (record) =>
      !isAlive(global, record) &&
      labelsMatch(record.config.Labels, filters) &&
      (until === undefined || until.every((time) => Date.parse(record.created) < time)),
  );
  const removed: string[] = [];
  const byId = new Map(unused.map((record) => [record.id, record]));
  let reclaimed = 0;
  const code = await forEach([...byId.keys()], global, async (id) => {
    const size = usageOf(`${global.dataRoot}/overlay2/${id}/diff`)?.bytes ?? 0;
    await removeContainer(global, byId.get(id)!, { force: false, volumes: false });
    removed.push(id);
    reclaimed += size;
  });
  const list = removed.length === 0 ? '' : `Deleted Containers:\n${removed.join('\n')}\n\n`;
  print(1, `${list}Total reclaimed space: ${humanSize(reclaimed)}\n`);
  return code;
}

/** Milliseconds since 1970: of a time, or of a duration ago. */
function toTime(text: string): number {
  const ago = parseDuration(text);
  const time = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (ago !== undefined) return Date.now() - ago;
  if (Number.isFinite(time)) return time;
  throw new TinyrunError('USAGE', `invalid filter 'until=${text}'`, {
    hint: 'a duration (10m, 24h), or a time as 2026-01-31T12:00:00Z',
  });
}
