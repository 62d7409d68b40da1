// tinyrun container prune [-f] [--filter]: removes all containers that do not run.

import { listContainerRecords } from '../../container/record.ts';
import { removeContainer } from '../../container/remove.ts';
import { hasProcess, statusOf } from '../../container/status.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { usageOf } from '../../volume/usage.ts';
import { type CommandLine, flag, texts } from '../command-line.ts';
import { confirm } from '../confirm.ts';
import { forEach } from '../each.ts';
import { type Filters, labelsMatch, parseFilters } from '../filters.ts';
import { parseMoment } from '../moment.ts';
import { type Pruned, printPruned } from '../prune.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const filters = parseFilters(texts(line, 'filter'), ['until', 'label', 'label!']);
  if (!flag(line, 'force') && !confirm('WARNING! This will remove all stopped containers.')) return 0;
  return printPruned(await pruneContainers(global, filters));
}

/** @throws TinyrunError USAGE for a time that is none */
export async function pruneContainers(
  global: GlobalOptions,
  filters: Filters<'until' | 'label' | 'label!'>,
): Promise<Pruned> {
  const until = filters.get('until')?.map((time) => parseMoment(time, Date.now(), '--filter until'));
  const unused = listContainerRecords(global.dataRoot).filter(
    (record) =>
      !hasProcess(statusOf(global, record).status) &&
      labelsMatch(record.config.Labels, filters) &&
      (until === undefined || until.every((time) => BigInt(Date.parse(record.created)) * 1_000_000n < time)),
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
  return { heading: 'Deleted Containers', lines: removed, reclaimed, code };
}
