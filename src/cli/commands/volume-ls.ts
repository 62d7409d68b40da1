// tinyrun volume ls

import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { listDrivers, type Problem } from '../../volume/record.ts';
import { usersByVolume } from '../../volume/uses.ts';
import { hasPlugins, type Volume } from '../../volume/volume.ts';
import { type CommandLine, flag, text, texts } from '../command-line.ts';
import { type Filters, parseFilters } from '../filters.ts';
import { alignColumns, alignPairs } from '../format/columns.ts';
import { humanSize } from '../format/human.ts';
import { matches } from '../volume-filter.ts';

const KEYS = ['dangling', 'driver', 'label', 'label!', 'name', 'anonymous'] as const;
type Key = (typeof KEYS)[number];

/** Of --cluster: there are no such volumes. */
const CLUSTER_COLUMNS = ['VOLUME NAME', 'GROUP', 'DRIVER', 'AVAILABILITY', 'STATUS'];

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const filters = parseFilters(texts(line, 'filter'), KEYS);
  const withSize = flag(line, 'size');
  if (flag(line, 'cluster')) {
    print(1, flag(line, 'quiet') ? '' : alignColumns([CLUSTER_COLUMNS.join('\t')]));
    return 0;
  }
  if (await isShort(line, filters)) {
    print(1, shortList(shortRows(global, filters), flag(line, 'quiet')));
    return 0;
  }
  const { formatList } = await import('../format/list.ts');
  const list = formatList({
    format: text(line, 'format'),
    quiet: flag(line, 'quiet'),
    table: [
      ['DRIVER', 'Driver'],
      ['VOLUME NAME', 'Name'],
      ...(withSize ? ([['SIZE', 'Size']] as const) : []),
    ],
    id: 'Name',
    rows: await wholeRows(global, filters, withSize),
  });
  print(1, list);
  return 0;
}

/** What most ask for, without the templates. */
const shortList = (rows: readonly ShortRow[], quiet: boolean): string =>
  quiet
    ? rows.map(({ name }) => `${name}\n`).join('')
    : alignPairs([['DRIVER', 'VOLUME NAME'], ...rows.map(({ name, driver }) => [driver, name] as const)]);

interface ShortRow {
  name: string;
  driver: string;
}

/** Whether names and drivers are all that is asked for, and nobody but the store knows of volumes. */
const isShort = async (line: CommandLine, filters: Filters<Key>): Promise<boolean> =>
  text(line, 'format') === undefined &&
  !flag(line, 'size') &&
  [...filters.keys()].every((key) => key === 'driver' || key === 'name' || key === 'dangling') &&
  !(await hasPlugins());

function shortRows(global: GlobalOptions, filters: Filters<Key>): ShortRow[] {
  const rows = listDrivers(global.dataRoot, warner(global));
  if (filters.size === 0) return rows;
  const isUsed = usersWhere(global, filters);
  return rows.filter(({ name, driver }) =>
    matches({ name, driver, labels: null, anonymous: false }, filters, isUsed),
  );
}

async function wholeRows(
  global: GlobalOptions,
  filters: Filters<Key>,
  withSize: boolean,
): Promise<Record<string, unknown>[]> {
  const { listVolumes } = await import('../../volume/store.ts');
  const { usageNow } = await import('../../volume/usage.ts');
  const isUsed = usersWhere(global, filters);
  const rows: Record<string, unknown>[] = [];
  for (const volume of await listVolumes(global.dataRoot, warner(global)))
    if (matches(volume, filters, isUsed))
      rows.push(rowOf(volume, withSize ? (await usageNow(global.dataRoot, volume))?.bytes : undefined));
  return rows;
}

/** Whether a volume is in use; looked for where it is asked for. */
function usersWhere({ dataRoot }: GlobalOptions, filters: Filters<Key>): (name: string) => boolean {
  const users = filters.has('dangling') ? usersByVolume(dataRoot) : new Map();
  return (name) => users.has(name);
}

function warner(global: GlobalOptions): (problem: Problem) => void {
  const log = createLog(global);
  return ({ error }) => log.warn(error instanceof Error ? error.message : String(error));
}

/** The fields of Docker's list. */
function rowOf(volume: Volume, size: number | undefined): Record<string, unknown> {
  return {
    Availability: 'N/A',
    Driver: volume.driver,
    Group: 'N/A',
    Labels: volume.labels === null ? '' : toText(volume.labels),
    Links: 'N/A',
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Scope: volume.scope,
    Size: size === undefined ? 'N/A' : humanSize(size),
    Status: 'N/A',
    Label: (name: unknown) => volume.labels?.[String(name)] ?? '',
  };
}

const toText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
