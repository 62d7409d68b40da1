// Taking a volume away: it loses its name first, and then its data, so that nobody ever sees a part of it. Who uses a volume has
// said so before (uses.ts), and is asked under the lock of all volumes: none goes that is in use.

import { close, flag, syscall } from '../../native-bindings/libc.ts';
import { openDirectory, removeTree } from '../disk/files.ts';
import { syncDirectory } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { moveAside, openVolumes, repair, volumesOf, withVolumes } from './directory.ts';
import { driverOf, type VolumeDriver, type VolumePlace, type VolumeRecord } from './driver.ts';
import { assertUnused } from './in-use.ts';
import { unmountAll } from './mounted.ts';
import { isVolumeName } from './names.ts';
import { FOREIGN, noSuchVolume, readRecord } from './record.ts';
import { findForeign, placeOf } from './volume.ts';

/**
 * Removes a volume and its data.
 * @param force one that is not there is fine, and so is a damaged record
 * @throws TinyrunError NOT_FOUND; STATE while it is in use, by whom
 */
export async function removeVolume(dataRoot: string, name: string, { force = false } = {}): Promise<void> {
  repair(dataRoot);
  const volumes = isVolumeName(name) ? openVolumes(dataRoot) : undefined;
  try {
    const gone =
      volumes === undefined
        ? undefined
        : withVolumes(dataRoot, (fd) => giveUpName(dataRoot, fd, name, force));
    if (gone !== undefined) await finishRemoval(dataRoot, name, gone, force);
    else if (!(await removeForeign(dataRoot, name)) && !force) throw noSuchVolume(name);
  } finally {
    if (volumes !== undefined) close(volumes);
  }
}

/** Has a plugin remove a volume that only it knows. Returns false where there is none. */
async function removeForeign(dataRoot: string, name: string): Promise<boolean> {
  const foreign = isVolumeName(name) ? await findForeign(name) : undefined;
  if (foreign === undefined) return false;
  await (await driverOf(foreign.driver)).remove(placeOf(dataRoot, name));
  return true;
}

/** A volume that has lost its name. */
interface Removed {
  /** Locked. */
  fd: number;
  record: VolumeRecord;
  /** Of its directory, relative to DATA_ROOT/volumes. */
  aside: string;
}

/** Called while DATA_ROOT/volumes is locked. */
function giveUpName(dataRoot: string, volumes: number, name: string, force: boolean): Removed | undefined {
  const fd = openDirectory(volumes, name);
  if (fd === undefined) return undefined;
  try {
    const record = readAnyRecord(volumes, name, force);
    assertUnused(dataRoot, name, fd, 'remove');
    return { fd, record, aside: moveAside(volumes, name) };
  } catch (error) {
    close(fd);
    throw error;
  }
}

function readAnyRecord(volumes: number, name: string, force: boolean): VolumeRecord {
  try {
    const record = readRecord(volumes, name);
    if (record !== undefined) return record;
    throw noSuchVolume(name);
  } catch (error) {
    if (!force || !(error instanceof TinyrunError)) throw error;
    return FOREIGN;
  }
}

/** Lets the driver remove what it has; where that fails, the volume gets its name back. */
async function finishRemoval(
  dataRoot: string,
  name: string,
  { fd, record, aside }: Removed,
  force: boolean,
): Promise<void> {
  const place = { dataRoot, name, directory: `${volumesOf(dataRoot)}/${aside}` };
  try {
    const driver = await driverOf(record.driver);
    await unmountAll(place, record, driver);
    await removeByDriver(driver, place, force);
  } catch (error) {
    withVolumes(dataRoot, (volumes) =>
      syscall(`keep volume ${name}`, 'renameat2', volumes, aside, volumes, name, flag('RENAME_NOREPLACE')),
    );
    close(fd);
    throw error;
  }
  const volumes = openVolumes(dataRoot);
  if (volumes !== undefined) {
    removeTree(volumes, aside);
    close(volumes);
  }
  close(fd);
  syncDirectory(volumesOf(dataRoot));
}

/** @param force a plugin that has not got it, or is gone, is no reason to keep the record */
async function removeByDriver(driver: VolumeDriver, place: VolumePlace, force: boolean): Promise<void> {
  try {
    await driver.remove(place);
  } catch (error) {
    if (!force || !(error instanceof TinyrunError)) throw error;
  }
}
