// tinyrun volume ls

import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { listVolumes } from '../../volume/store.ts';
import { usageNow } from '../../volume/usage.ts';
import { usersByVolume } from '../../volume/uses.ts';
import type { Volume } from '../../volume/volume.ts';
import { type CommandLine, flag, text, texts } from '../command-line.ts';
import { parseFilters } from '../filters.ts';
import { humanSize } from '../format/human.ts';
import { formatList } from '../format/list.ts';
import { matches } from '../volume-filter.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const { dataRoot } = global;
  const log = createLog(global);
  const filters = parseFilters(texts(line, 'filter'), [
    'dangling',
    'driver',
    'label',
    'label!',
    'name',
    'anonymous',
  ]);
  const users = filters.has('dangling') ? usersByVolume(dataRoot) : new Map();
  const volumes = await listVolumes(dataRoot, ({ error }) =>
    log.warn(error instanceof Error ? error.message : String(error)),
  );
  const found = volumes.filter((volume) => matches(volume, filters, (name) => users.has(name)));
  const withSize = flag(line, 'size');
  const rows: Record<string, unknown>[] = [];
  for (const volume of found)
    rows.push(rowOf(volume, withSize ? (await usageNow(dataRoot, volume))?.bytes : undefined));
  const list = formatList({
    format: text(line, 'format'),
    quiet: flag(line, 'quiet'),
    table: [
      ['DRIVER', 'Driver'],
      ['VOLUME NAME', 'Name'],
      ...(withSize ? ([['SIZE', 'Size']] as const) : []),
    ],
    id: 'Name',
    rows,
  });
  print(1, list);
  return 0;
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
