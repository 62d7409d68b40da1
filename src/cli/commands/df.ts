// tinyrun df, system df
import { readNames } from '../../image/names.ts';
import { tryReference } from '../../image/reference.ts';
import { createdAt } from '../../image/store.ts';
import { type DiskUsage, diskUsage, type Total } from '../../inspect/disk-usage.ts';
import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { containerRow } from '../format/container-row.ts';
import { humanDuration, humanSize, shortId } from '../format/human.ts';
import { formatList, type List } from '../format/list.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const usage = await diskUsage(global, createLog(global));
  const format = text(line, 'format');
  print(
    1,
    flag(line, 'verbose') && format === undefined ? verbose(usage, global.dataRoot) : totals(usage, format),
  );
  return 0;
}

const table = (format: string | undefined, columns: List['table'], rows: List['rows']): string =>
  formatList({ format, quiet: false, table: columns, id: columns[0]![1], rows });

function totals({ images, containers, volumes }: DiskUsage, format: string | undefined): string {
  const row = (type: string, { count, active, size, reclaimable }: Total) => ({
    Type: type,
    TotalCount: String(count),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable:
      size === 0 ? humanSize(0) : `${humanSize(reclaimable)} (${Math.floor((100 * reclaimable) / size)}%)`,
  });
  return table(
    format,
    [
      ['TYPE', 'Type'],
      ['TOTAL', 'TotalCount'],
      ['ACTIVE', 'Active'],
      ['SIZE', 'Size'],
      ['RECLAIMABLE', 'Reclaimable'],
    ],
    [row('Images', images), row('Containers', containers), row('Local Volumes', volumes)],
  );
}

function verbose(usage: DiskUsage, dataRoot: string): string {
  const parts = {
    Images: imagesTable(usage),
    Containers: containersTable(usage, dataRoot),
    'Local Volumes': volumesTable(usage),
  };
  return Object.entries(parts)
    .map(([kind, list]) => `${kind} space usage:\n\n${list}`)
    .join('\n');
}

const ago = (time: number): string => (time === 0 ? 'N/A' : `${humanDuration(Date.now() - time)} ago`);

function imagesTable({ images }: DiskUsage): string {
  const rows = images.list.map(({ image, size, shared, containers }) => {
    const name = tryReference(image.tags[0] ?? '');
    return {
      Repository: name?.familiarRepository ?? '<none>',
      Tag: name?.tag ?? '<none>',
      ID: shortId(image.id),
      CreatedSince: ago(createdAt(image)),
      Size: humanSize(size),
      SharedSize: humanSize(shared),
      UniqueSize: humanSize(size - shared),
      Containers: String(containers),
    };
  });
  return table(
    undefined,
    [
      ['REPOSITORY', 'Repository'],
      ['TAG', 'Tag'],
      ['IMAGE ID', 'ID'],
      ['CREATED', 'CreatedSince'],
      ['SIZE', 'Size'],
      ['SHARED SIZE', 'SharedSize'],
      ['UNIQUE SIZE', 'UniqueSize'],
      ['CONTAINERS', 'Containers'],
    ],
    rows,
  );
}

function containersTable({ containers }: DiskUsage, dataRoot: string): string {
  const names = readNames(dataRoot);
  const rows = containers.list.map(({ container, size, volumes }) => {
    const row = containerRow(container, {
      truncated: true,
      now: Date.now(),
      imageOf: (name) => names.get(name),
      mounts: () => [],
      sizes: () => undefined,
    });
    const { ID, Image, Command, RunningFor, Status, Names } = row;
    return {
      ID,
      Image,
      Command,
      LocalVolumes: String(volumes),
      Size: humanSize(size),
      RunningFor,
      Status,
      Names,
    };
  });
  return table(
    undefined,
    [
      ['CONTAINER ID', 'ID'],
      ['IMAGE', 'Image'],
      ['COMMAND', 'Command'],
      ['LOCAL VOLUMES', 'LocalVolumes'],
      ['SIZE', 'Size'],
      ['CREATED', 'RunningFor'],
      ['STATUS', 'Status'],
      ['NAMES', 'Names'],
    ],
    rows,
  );
}

function volumesTable({ volumes }: DiskUsage): string {
  const rows = volumes.list.map(({ volume, links, size }) => ({
    Name: volume.name,
    Links: String(links),
    Size: size === undefined ? 'N/A' : humanSize(size),
  }));
  return table(
    undefined,
    [
      ['VOLUME NAME', 'Name'],
      ['LINKS', 'Links'],
      ['SIZE', 'Size'],
    ],
    rows,
  );
}
