// A volume as a copy of another one: `clone`, and `snapshot`, which is a clone that says of what and when. Files share
// their blocks where the filesystem can. What is written meanwhile may be in it or not: who needs one moment pauses the
// container.

import { close, flag, syscall } from '../../native-bindings/libc.ts';
import { copyTree } from '../disk/copy-tree.ts';
import { AT_FDCWD, DIRECTORY } from '../disk/files.ts';
import { expectLongWork } from '../disk/long-work.ts';
import { DATA } from './directory.ts';
import { driverOf, type VolumeRecord } from './driver.ts';
import { processHolder, withData } from './mounted.ts';
import { ANONYMOUS_LABEL } from './names.ts';
import { findRecord, noSuchVolume } from './record.ts';
import { createVolume } from './store.ts';
import type { Volume } from './volume.ts';

/** Labels of a snapshot: the volume that it is of, and when it was made (RFC 3339). */
const SNAPSHOT_OF = 'io.tinyrun.snapshot.of';
const SNAPSHOT_AT = 'io.tinyrun.snapshot.at';

export interface CloneOptions {
  labels?: Readonly<Record<string, string>>;
  /** Called for each file with its bytes. */
  onEntry?: (bytes: number) => void;
}

/**
 * Makes a new local volume with the data of another one; of its options it takes the size alone, since all others say
 * where the data of the first one is.
 * @param name must be free
 * @throws TinyrunError NOT_FOUND, EXISTS; SystemError where something cannot be copied: then there is no new volume
 */
export async function cloneVolume(
  dataRoot: string,
  from: string,
  name: string,
  { labels = {}, onEntry }: CloneOptions = {},
): Promise<Volume> {
  const source = findRecord(dataRoot, from);
  if (source === undefined) throw noSuchVolume(from);
  expectLongWork();
  const { [ANONYMOUS_LABEL]: _, ...kept } = source.labels ?? {};
  return createVolume(
    dataRoot,
    { name, driver: 'local', options: sizeOf(source), labels: { ...kept, ...labels } },
    (directory, record) =>
      withData(dataRoot, from, (data) =>
        withNewData(dataRoot, name, directory, record, (target) => copyDirectory(data, target, onEntry)),
      ),
  );
}

/** A snapshot is named by its time, to the second. */
const snapshotName = (volume: string, at: Date): string =>
  `${volume}-${at.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;

/**
 * Makes a snapshot.
 * @param name undefined: snapshotName
 * @throws as cloneVolume
 */
export function snapshotVolume(
  dataRoot: string,
  volume: string,
  name: string | undefined,
  onEntry?: CloneOptions['onEntry'],
): Promise<Volume> {
  const at = new Date();
  const labels = { [SNAPSHOT_OF]: volume, [SNAPSHOT_AT]: `${at.toISOString().slice(0, 19)}Z` };
  const options = onEntry === undefined ? { labels } : { labels, onEntry };
  return cloneVolume(dataRoot, volume, name ?? snapshotName(volume, at), options);
}

function sizeOf({ driver, options }: VolumeRecord): Record<string, string> {
  const { size, type } = options ?? {};
  return driver === 'local' && size !== undefined && type === undefined ? { size } : {};
}

/** The data directory of a volume that is being made, mounted where it has a filesystem of its own. */
export async function withNewData(
  dataRoot: string,
  name: string,
  directory: string,
  record: VolumeRecord,
  use: (data: string) => void | Promise<void>,
): Promise<void> {
  const driver = await driverOf(record.driver);
  if (!driver.mounts(record)) return use(`${directory}/${DATA}`);
  const place = { dataRoot, name, directory };
  const holder = processHolder();
  const data = await driver.mount(place, record, holder, false);
  try {
    await use(data);
  } finally {
    await driver.unmount(place, record, holder, true);
  }
}

function copyDirectory(from: string, to: string, onEntry: CloneOptions['onEntry']): void {
  const source = syscall(
    `open ${from}`,
    'openat',
    AT_FDCWD,
    from,
    flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC'),
    0,
  );
  try {
    const target = syscall(`open ${to}`, 'openat', AT_FDCWD, to, DIRECTORY, 0);
    try {
      copyTree(source, target, onEntry === undefined ? {} : { onEntry });
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}
