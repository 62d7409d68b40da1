// Volumes that must be mounted before they are used: once, for all who use them, and until the last one is gone. Who
// they are stands in DATA_ROOT/volumes/NAME/mounts.json, written before anything is mounted. Containers that are gone,
// processes that have ended and what was there before a reboot do not count.

import { close } from '../../native-bindings/libc.ts';
import { bootId } from '../disk/boot-id.ts';
import { AT_FDCWD, exists, openDirectory, readSmall } from '../disk/files.ts';
import { isAt } from '../disk/inode.ts';
import { lockOpen } from '../disk/lock.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { containerDirectory } from '../oci/state.ts';
import { volumesOf } from './directory.ts';
import { driverOf, type VolumeDriver, type VolumePlace, type VolumeRecord } from './driver.ts';
import { isVolumeName } from './names.ts';
import { findRecord, noSuchVolume } from './record.ts';

const HOLDERS = 'mounts.json';
/** The holder of what `volume mount` mounts, until `volume unmount`. */
export const KEPT = 'command';

/**
 * Makes a volume ready to be bound into a container.
 * @param holder the container's id; asked for again by the same, it counts once
 * @returns the directory to bind
 * @throws TinyrunError
 */
export async function mountVolume(dataRoot: string, name: string, holder: string): Promise<string> {
  const found = findRecord(dataRoot, name);
  if (found === undefined) throw noSuchVolume(name);
  const driver = await driverOf(found.driver);
  const place = { dataRoot, name, directory: `${volumesOf(dataRoot)}/${name}` };
  if (!driver.mounts(found)) return (await driver.get(place, found)).mountpoint;
  return withVolume(dataRoot, name, (locked, record) => mountLocked(locked, record, driver, holder));
}

async function mountLocked(
  place: VolumePlace,
  record: VolumeRecord,
  driver: VolumeDriver,
  holder: string,
): Promise<string> {
  const before = await withoutStale(place, record, driver);
  writeHolders(place, [...before.filter((id) => id !== holder), holder]);
  try {
    return await driver.mount(place, record, holder, before.includes(holder));
  } catch (error) {
    writeHolders(place, before);
    throw error;
  }
}

/**
 * Takes back what mountVolume did for this holder; that it did nothing, or that the volume is gone, is fine.
 * @throws TinyrunError
 */
export async function releaseVolume(dataRoot: string, name: string, holder: string): Promise<void> {
  if (!exists(AT_FDCWD, `${volumesOf(dataRoot)}/${name}/${HOLDERS}`)) return;
  const released = withVolume(dataRoot, name, async (place, record, driver) => {
    const holders = readHolders(place.directory);
    if (!holders.includes(holder)) return;
    const rest = holders.filter((id) => id !== holder);
    await driver.unmount(place, record, holder, rest.length === 0);
    writeHolders(place, rest);
  });
  await released.catch((error: unknown) => {
    // Removed since we looked: then it was unmounted, too.
    if (!(error instanceof TinyrunError && error.code === 'NOT_FOUND')) throw error;
  });
}

/**
 * Does something with a volume's data, which is mounted and not removed for that long.
 * @param use is given the directory with the data, and the volume's own
 */
export async function withData<T>(
  dataRoot: string,
  name: string,
  use: (data: string, directory: string) => T | Promise<T>,
): Promise<T> {
  const record = findRecord(dataRoot, name);
  if (record === undefined) throw noSuchVolume(name);
  const driver = await driverOf(record.driver);
  const directory = `${volumesOf(dataRoot)}/${name}`;
  if (!driver.mounts(record)) {
    const work = async (place: VolumePlace) => use((await driver.get(place, record)).mountpoint, directory);
    return withVolume(dataRoot, name, work, { shared: true });
  }
  const holder = processHolder();
  const data = await mountVolume(dataRoot, name, holder);
  try {
    return await use(data, directory);
  } finally {
    await releaseVolume(dataRoot, name, holder);
  }
}

/** Those who use a volume that is mounted for them, and are still there. */
export const liveHolders = (dataRoot: string, name: string): string[] =>
  readHolders(`${volumesOf(dataRoot)}/${name}`).filter((holder) => isAlive(dataRoot, holder));

/** Unmounts a volume that nobody uses any more. */
export const unmountAll = (place: VolumePlace, record: VolumeRecord, driver: VolumeDriver): Promise<void> =>
  unmountStale(place, record, driver, readHolders(place.directory), true);

/**
 * Does something while nobody else changes what is behind a volume: mounting may take long, but only who wants the same
 * volume waits.
 * @throws TinyrunError NOT_FOUND
 */
async function withVolume<T>(
  dataRoot: string,
  name: string,
  work: (place: VolumePlace, record: VolumeRecord, driver: VolumeDriver) => T | Promise<T>,
  lock: { shared?: boolean } = {},
): Promise<T> {
  const directory = `${volumesOf(dataRoot)}/${name}`;
  const fd = isVolumeName(name) ? openDirectory(AT_FDCWD, directory) : undefined;
  if (fd === undefined) throw noSuchVolume(name);
  try {
    lockOpen(fd, lock);
    // It may have been removed, and made again, before we got the lock: then what we hold is not the volume.
    const record = isAt(fd, directory) ? findRecord(dataRoot, name) : undefined;
    if (record === undefined) throw noSuchVolume(name);
    return await work({ dataRoot, name, directory }, record, await driverOf(record.driver));
  } finally {
    close(fd);
  }
}

/** The holders that are still there; the others are taken away first. */
async function withoutStale(
  place: VolumePlace,
  record: VolumeRecord,
  driver: VolumeDriver,
): Promise<string[]> {
  if (!driver.isMounted(place)) return []; // whoever stands there: it was before a reboot
  const holders = readHolders(place.directory);
  const alive = holders.filter((holder) => isAlive(place.dataRoot, holder));
  await unmountStale(
    place,
    record,
    driver,
    holders.filter((holder) => !alive.includes(holder)),
    alive.length === 0,
  );
  return alive;
}

/** Takes back the mounts of holders that are gone; `all`: nobody else is there. */
async function unmountStale(
  place: VolumePlace,
  record: VolumeRecord,
  driver: VolumeDriver,
  stale: readonly string[],
  all: boolean,
): Promise<void> {
  for (const [i, holder] of stale.entries())
    try {
      await driver.unmount(place, record, holder, all && i === stale.length - 1);
    } catch (error) {
      // A plugin that was started again since knows nothing of them.
      if (!(error instanceof TinyrunError)) throw error;
    }
}

/** Who stands in the file, if it is of this boot: before, it was another kernel that had these mounts. */
function readHolders(directory: string): string[] {
  const text = readSmall(AT_FDCWD, `${directory}/${HOLDERS}`);
  if (text === undefined) return [];
  const value: unknown = JSON.parse(text);
  if (isHolders(value)) return value.boot === bootId() ? value.holders : [];
  throw new TinyrunError('HOST', `read ${directory}/${HOLDERS}: it is damaged`, {
    hint: 'unmount the volume by hand and remove the file',
  });
}

interface Holders {
  boot: string;
  holders: string[];
}

const isHolders = (value: unknown): value is Holders =>
  typeof value === 'object' &&
  value !== null &&
  'boot' in value &&
  'holders' in value &&
  Array.isArray(value.holders) &&
  value.holders.every((id) => typeof id === 'string');

function writeHolders({ directory }: VolumePlace, holders: string[]): void {
  const contents: Holders = { boot: bootId(), holders };
  writeFileAtomic(`${directory}/${HOLDERS}`, JSON.stringify(contents));
}

/** Of who is no container: this process, until it ends. */
export const processHolder = (): string => `process-${process.pid}-${startOf(process.pid)}`;

/** Whether a holder is still there. */
export function isAlive(dataRoot: string, holder: string): boolean {
  if (holder === KEPT) return true;
  const [, pid, start] = /^process-(\d+)-(\d+)$/.exec(holder) ?? [];
  if (pid !== undefined) return startOf(Number(pid)) === start;
  return exists(AT_FDCWD, containerDirectory(dataRoot, holder));
}

/** When a process started, in ticks since boot: field 22 of proc_pid_stat(5). Undefined where there is none. */
function startOf(pid: number): string | undefined {
  const stat = readSmall(AT_FDCWD, `/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
