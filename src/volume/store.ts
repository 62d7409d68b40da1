// The store of volumes: DATA_ROOT/volumes, as directory.ts draws it. A volume is built aside and renamed into its place,
// and renamed aside before it is removed: nobody ever sees a part of one, whoever is killed when. Who uses a volume says
// so first (uses.ts) and creates it then, which waits for a removal that has begun: so no volume goes that is in use.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { openDirectory, removeTree } from '../disk/files.ts';
import { syncDirectory, writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import { type Aside, DATA, makeAside, openVolumes, repair, volumesOf, withVolumes } from './directory.ts';
import { driverOf, type VolumeRecord } from './driver.ts';
import { assertUnused } from './in-use.ts';
import { ANONYMOUS_LABEL, assertVolumeName, isVolumeName, newVolumeName } from './names.ts';
import { findRecord, listRecords, noSuchVolume, type Problem, readRecord, recordOf } from './record.ts';
import { describe, describeForeign, findForeign, hasPlugins, toVolume, type Volume } from './volume.ts';

export interface NewVolume {
  /** Undefined: anonymous. */
  name?: string | undefined;
  /** Undefined: `local`, or that of a volume of this name. */
  driver?: string | undefined;
  options?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
}

/**
 * Creates a volume, or gives the one that has this name already, whatever its options and labels, as Docker does.
 * @param fill called with the directory that is to become the volume, while nobody else sees it; then it must be new
 * @throws TinyrunError USAGE for a name or options that cannot be; EXISTS if it is another driver's, or must be new
 */
export async function createVolume(
  dataRoot: string,
  { name, driver, options = {}, labels = {} }: NewVolume,
  fill?: (directory: string, record: VolumeRecord) => void | Promise<void>,
): Promise<Volume> {
  if (name !== undefined && name !== '') assertVolumeName(name);
  repair(dataRoot);
  const own = name || newVolumeName();
  const present = await existing(dataRoot, own, driver);
  if (present !== undefined && fill === undefined) return present;
  if (present !== undefined) throw isThere(own);
  const foreign = name && !driver && fill === undefined ? await findForeign(name) : undefined;
  const record: VolumeRecord = {
    driver: driver || foreign?.driver || 'local',
    createdAt: `${new Date().toISOString().slice(0, 19)}Z`,
    labels: orNull(name ? labels : { ...labels, [ANONYMOUS_LABEL]: '' }),
    options: orNull(options),
  };
  const aside = makeAside(dataRoot);
  try {
    const place = { dataRoot, name: own, directory: aside.path };
    if (foreign === undefined) await (await driverOf(record.driver)).create(place, options);
    // Before it is filled: to sync it behind that would wait for all of the data.
    writeFileAtomic(`${aside.path}/${recordOf(record.driver)}`, `${JSON.stringify(record)}\n`);
    await fill?.(aside.path, record);
    if (takeName(dataRoot, aside, own, fill === undefined)) return await describe(dataRoot, own, record);
  } finally {
    discard(dataRoot, aside);
  }
  if (fill !== undefined) throw isThere(own);
  return createVolume(dataRoot, { name: own, driver, options, labels }); // somebody was faster
}

const isThere = (name: string): TinyrunError =>
  new TinyrunError('EXISTS', `create ${name}: a volume ${name} is there already`, {
    hint: 'choose another name, or remove it first',
    data: { volume: name },
  });

const orNull = (map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null =>
  Object.keys(map).length === 0 ? null : map;

/** The volume that has a name, if any; waits for a removal that has begun. */
async function existing(
  dataRoot: string,
  name: string,
  driver: string | undefined,
): Promise<Volume | undefined> {
  const volumes = openVolumes(dataRoot);
  if (volumes === undefined) return undefined;
  close(volumes);
  const record = withVolumes(dataRoot, (fd) => readRecord(fd, name));
  if (record === undefined) return undefined;
  if (driver === undefined || driver === '' || driver === record.driver)
    return describe(dataRoot, name, record);
  throw new TinyrunError(
    'EXISTS',
    `create ${name}: driver '${record.driver}' already has volume '${name}': volume name must be unique`,
    { hint: `choose another name, or say --driver ${record.driver}`, data: { volume: name } },
  );
}

/**
 * Gives what was built aside its name. Returns false where somebody else has it by now.
 * @param sync it is to survive a power cut from now on; copies are written when the kernel writes them, as those of cp
 */
function takeName(dataRoot: string, aside: Aside, name: string, sync: boolean): boolean {
  const taken = withVolumes(dataRoot, (volumes) => {
    const result = rawSyscall('renameat2', volumes, aside.name, volumes, name, flag('RENAME_NOREPLACE'));
    if (result === -errnos['EEXIST']!) return false;
    if (result < 0) throw new SystemError(`create volume ${name}`, -result);
    return true;
  });
  if (taken && sync) syncDirectory(volumesOf(dataRoot));
  return taken;
}

/** Removes what was built in vain, if it has no name by now. */
function discard(dataRoot: string, { fd, name }: Aside): void {
  const volumes = openVolumes(dataRoot);
  if (volumes !== undefined) {
    removeTree(volumes, name);
    close(volumes);
  }
  close(fd);
}

/**
 * Finds a volume by its name.
 * @returns undefined where there is none
 * @throws TinyrunError HOST if its record is damaged
 */
export async function findVolume(dataRoot: string, name: string): Promise<Volume | undefined> {
  const record = findRecord(dataRoot, name);
  if (record !== undefined) return describe(dataRoot, name, record);
  const foreign = isVolumeName(name) ? await findForeign(name) : undefined;
  return foreign === undefined ? undefined : describeForeign(dataRoot, foreign);
}

/**
 * The same, where there must be one.
 * @param hint what to do where there is none
 * @throws TinyrunError NOT_FOUND in Docker's words
 */
export async function resolveVolume(dataRoot: string, name: string, hint?: string): Promise<Volume> {
  const volume = await findVolume(dataRoot, name);
  if (volume === undefined) throw noSuchVolume(name, hint);
  return volume;
}

/**
 * All volumes, sorted by name; those of plugins, too, wherever they were made.
 * @param onProblem without it the first problem is thrown
 */
export async function listVolumes(
  dataRoot: string,
  onProblem?: (problem: Problem) => void,
): Promise<Volume[]> {
  const records = listRecords(dataRoot, onProblem);
  const plugins = (await hasPlugins()) ? (await import('./drivers/plugin.ts')).listPluginVolumes : undefined;
  const foreign = (await plugins?.((name, error) => onProblem?.({ name, error }))) ?? [];
  const known = new Map(foreign.map((volume) => [`${volume.driver}/${volume.name}`, volume]));
  const found: Volume[] = [];
  const scopes = new Map<string, Volume['scope']>();
  for (const [name, record] of records) {
    // A driver is asked once for all of its volumes: there may be thousands.
    const scope = scopes.get(record.driver) ?? (await (await driverOf(record.driver)).scope());
    scopes.set(record.driver, scope);
    // One whose plugin does not know it, or does not answer, is shown all the same.
    const facts = isOwnDriver(record.driver)
      ? { mountpoint: `${volumesOf(dataRoot)}/${name}/${DATA}` }
      : (known.get(`${record.driver}/${name}`) ?? { mountpoint: '' });
    found.push(toVolume(name, record, facts, scope));
  }
  for (const volume of foreign)
    if (isVolumeName(volume.name) && !records.has(volume.name))
      found.push(await describeForeign(dataRoot, volume));
  return foreign.length === 0 ? found : found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Drivers that are no plugins. */
const isOwnDriver = (name: string): boolean => name === 'local' || name === 'image';

/**
 * Gives a volume another name.
 * @throws TinyrunError NOT_FOUND, EXISTS; STATE while it is in use; UNSUPPORTED where its driver has names of its own
 */
export async function renameVolume(dataRoot: string, from: string, to: string): Promise<void> {
  assertVolumeName(to, `rename ${from}`);
  const record = findRecord(dataRoot, from);
  if (record === undefined) throw noSuchVolume(from);
  if (!isOwnDriver(record.driver))
    throw new TinyrunError('UNSUPPORTED', `rename ${from}: driver ${record.driver} keeps names of its own`, {
      hint: `make a volume ${to} and copy the data: volume export ${from} | volume import ${to} -`,
    });
  withVolumes(dataRoot, (volumes) => {
    const fd = openDirectory(volumes, from);
    if (fd === undefined) throw noSuchVolume(from);
    try {
      assertUnused(dataRoot, from, fd, 'rename');
      const result = rawSyscall('renameat2', volumes, from, volumes, to, flag('RENAME_NOREPLACE'));
      if (result === -errnos['EEXIST']!)
        throw new TinyrunError('EXISTS', `rename ${from}: a volume ${to} is there already`, {
          data: { volume: to },
        });
      if (result < 0) throw new SystemError(`rename volume ${from} to ${to}`, -result);
    } finally {
      close(fd);
    }
  });
  syncDirectory(volumesOf(dataRoot));
}
