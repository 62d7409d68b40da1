// tinyrun ps, tinyrun container ls

import { TinyrunError } from '../../errors.ts';
import { readNames } from '../../image/names.ts';
import { type ListedContainer, listAll } from '../../inspect/containers.ts';
import { createdOf } from '../../inspect/find.ts';
import { sizesOf } from '../../inspect/sizes.ts';
import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type MountPoint, readUses } from '../../volume/uses.ts';
import { type CommandLine, flag, text, texts } from '../command-line.ts';
import { CONTAINER_FILTERS, containerFilter } from '../container-filter.ts';
import { parseFilters } from '../filters.ts';
import { containerRow } from '../format/container-row.ts';
import { formatList } from '../format/list.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const { dataRoot } = global;
  const filters = parseFilters(texts(line, 'filter'), CONTAINER_FILTERS);
  const last = flag(line, 'latest') ? 1 : lastOf(line);
  const mounts = (one: ListedContainer): MountPoint[] =>
    readUses(dataRoot, one.id)?.mounts.map(({ point }) => point) ?? [];
  const fits = containerFilter(filters, {
    dataRoot,
    mounts,
    createdAt: (called) => createdOf(global, called),
  });
  const all = flag(line, 'all') || last !== undefined || filters.has('status');
  const found = (await listAll(global, all, createLog(global))).filter(fits);
  const names = readNames(dataRoot);
  const format = text(line, 'format');
  const size = flag(line, 'size');
  const list = formatList({
    format,
    quiet: flag(line, 'quiet'),
    table: [...TABLE, ...(size ? ([['SIZE', 'Size']] as const) : [])],
    id: 'ID',
    rows: (last === undefined ? found : found.slice(0, last)).map((one) =>
      containerRow(one, {
        truncated: !flag(line, 'no-trunc'),
        now: Date.now(),
        imageOf: (name) => names.get(name),
        mounts: () => mounts(one),
        // JSON has all fields, and every file would be looked at: there it takes --size.
        sizes: () => (size || format !== 'json' ? sizesOf(dataRoot, one.id, one.record?.imageId) : undefined),
      }),
    ),
  });
  print(1, list);
  return 0;
}

const TABLE = [
  ['CONTAINER ID', 'ID'],
  ['IMAGE', 'Image'],
  ['COMMAND', 'Command'],
  ['CREATED', 'RunningFor'],
  ['STATUS', 'Status'],
  ['PORTS', 'Ports'],
  ['NAMES', 'Names'],
] as const;

/** The value of --last; -1 is all that run, as if it were not given. */
function lastOf(line: CommandLine): number | undefined {
  const given = text(line, 'last');
  if (given === undefined || given === '-1') return undefined;
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw new TinyrunError('USAGE', `--last is a number, not ${JSON.stringify(given)}`);
}
