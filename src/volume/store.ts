// The store of volumes: DATA_ROOT/volumes, as directory.ts draws it. A volume is built aside and renamed into its place,
// and renamed aside before it is removed: nobody ever sees a part of one, whoever is killed when. Who uses a volume says
// so first (uses.ts) and creates it then, which waits for a removal that has begun: so no volume goes that is in use.

import { close, flag, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { openDirectory, readDirectory, removeTree } from '../disk/files.ts';
import { lockOpen } from '../disk/lock.ts';
import { syncDirectory, writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import {
  type Aside,
  DATA,
  makeAside,
  moveAside,
  openVolumes,
  repair,
  volumesOf,
  withVolumes,
} from './directory.ts';
import { driverOf, type VolumePlace, type VolumeRecord } from './driver.ts';
import { liveHolders, unmountAll } from './mounted.ts';
import { mountsBelow } from './mountinfo.ts';
import { ANONYMOUS_LABEL, assertVolumeName, isVolumeName, newVolumeName } from './names.ts';
import { FOREIGN, findRecord, noSuchVolume, RECORD, readRecord } from './record.ts';
import { type User, usersOf } from './uses.ts';

/** A volume as it is shown. */
export interface Volume extends VolumeRecord {
  name: string;
  /** Where its data is on this host; empty where its driver says so only when it mounts. */
  mountpoint: string;
  scope: 'local' | 'global';
  /** Nobody named it: it may go when nobody uses it. */
  anonymous: boolean;
  /** What else its driver tells. */
  status?: Readonly<Record<string, unknown>>;
}

export interface NewVolume {
  /** Undefined: anonymous. */
  name?: string | undefined;
  /** Undefined: `local`, or that of a volume of this name. */
  driver?: string | undefined;
  options?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
}

const placeOf = (dataRoot: string, name: string): VolumePlace => ({
  ...{ dataRoot, name },
  directory: `${volumesOf(dataRoot)}/${name}`,
});

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
  const record: VolumeRecord = {
    driver: driver || 'local',
    createdAt: `${new Date().toISOString().slice(0, 19)}Z`,
    labels: orNull(name ? labels : { ...labels, [ANONYMOUS_LABEL]: '' }),
    options: orNull(options),
  };
  const aside = makeAside(dataRoot);
  try {
    await (await driverOf(record.driver)).create({ dataRoot, name: own, directory: aside.path }, options);
    await fill?.(aside.path, record);
    writeFileAtomic(`${aside.path}/${RECORD}`, `${JSON.stringify(record)}\n`);
    if (takeName(dataRoot, aside, own)) return await describe(dataRoot, own, record);
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
  throw new TinyrunError('EXISTS', `create ${name}: volume name must be unique`, {
    hint: `a volume of driver ${record.driver} has this name`,
    data: { volume: name },
  });
}

/** Gives what was built aside its name. Returns false where somebody else has it by now. */
function takeName(dataRoot: string, aside: Aside, name: string): boolean {
  const taken = withVolumes(dataRoot, (volumes) => {
    const result = rawSyscall('renameat2', volumes, aside.name, volumes, name, flag('RENAME_NOREPLACE'));
    if (result === -errnos['EEXIST']!) return false;
    if (result < 0) throw new SystemError(`create volume ${name}`, -result);
    return true;
  });
  if (taken) syncDirectory(volumesOf(dataRoot));
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

/** What is shown of a volume: what its driver says, on top of its record. */
async function describe(dataRoot: string, name: string, record: VolumeRecord): Promise<Volume> {
  const driver = await driverOf(record.driver);
  const { mountpoint, status } = await driver.get(placeOf(dataRoot, name), record);
  return {
    ...{ ...record, name, mountpoint },
    scope: await driver.scope(),
    anonymous: record.labels !== null && Object.hasOwn(record.labels, ANONYMOUS_LABEL),
    ...(status === undefined ? {} : { status }),
  };
}

/**
 * Finds a volume by its name.
 * @returns undefined where there is none
 * @throws TinyrunError HOST if its record is damaged
 */
export async function findVolume(dataRoot: string, name: string): Promise<Volume | undefined> {
  const record = findRecord(dataRoot, name);
  return record === undefined ? undefined : describe(dataRoot, name, record);
}

/**
 * The same, where there must be one.
 * @throws TinyrunError NOT_FOUND in Docker's words
 */
export async function resolveVolume(dataRoot: string, name: string): Promise<Volume> {
  const volume = await findVolume(dataRoot, name);
  if (volume === undefined) throw noSuchVolume(name);
  return volume;
}

/** A volume that cannot be shown, and why. */
export interface Problem {
  name: string;
  error: unknown;
}

/**
 * All volumes, sorted by name.
 * @param onProblem told of those that cannot be shown; without it the first one is thrown
 */
export async function listVolumes(
  dataRoot: string,
  onProblem?: (problem: Problem) => void,
): Promise<Volume[]> {
  const volumes = openVolumes(dataRoot);
  if (volumes === undefined) return [];
  try {
    const found: Volume[] = [];
    for (const name of readDirectory(volumes).filter(isVolumeName).sort())
      try {
        const record = readRecord(volumes, name);
        if (record !== undefined) found.push(await describe(dataRoot, name, record));
      } catch (error) {
        if (onProblem === undefined) throw error;
        onProblem({ name, error });
      }
    return found;
  } finally {
    close(volumes);
  }
}

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
    if (gone !== undefined) await finishRemoval(dataRoot, name, gone);
    else if (!force) throw noSuchVolume(name);
  } finally {
    if (volumes !== undefined) close(volumes);
  }
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

/**
 * Makes sure that nobody uses a volume, and locks it.
 * @param fd of its directory; DATA_ROOT/volumes is locked
 * @param what an infinitive
 * @throws TinyrunError STATE
 */
export function assertUnused(dataRoot: string, name: string, fd: number, what: string): void {
  const users = usersOf(dataRoot, name);
  if (users.length > 0) throw inUse(what, name, users);
  const holders = liveHolders(dataRoot, name);
  if (holders.length > 0) throw inUse(what, name, holders.map(toUser));
  if (!lockOpen(fd, { wait: false }))
    throw new TinyrunError('STATE', `${what} ${name}: volume is in use - another tinyrun works with it`, {
      hint: 'wait for it, or see who it is: fuser -v on its directory',
      data: { volume: name },
    });
  const mount = mountsBelow(`${volumesOf(dataRoot)}/${name}`).find(
    (path) => !path.endsWith(`/${name}/${DATA}`),
  );
  if (mount !== undefined)
    throw new TinyrunError('STATE', `${what} ${name}: volume is in use - something is mounted on ${mount}`, {
      hint: `umount ${mount}`,
    });
}

const toUser = (id: string): User => ({ id, name: undefined, destinations: [] });

/** Docker's words, and behind them what people ask next: who these are, and where they see it. */
function inUse(what: string, name: string, users: readonly User[]): TinyrunError {
  const ids = users.map(({ id }) => id).join(', ');
  const told = users.map((user) => {
    const who = user.name === undefined ? user.id.slice(0, 12) : `${user.name} (${user.id.slice(0, 12)})`;
    return user.destinations.length === 0 ? who : `${who} at ${user.destinations.join(', ')}`;
  });
  return new TinyrunError('STATE', `${what} ${name}: volume is in use - [${ids}]`, {
    hint: `used by ${told.join('; ')}: remove what uses it first`,
    data: { volume: name, users: users.map(({ id }) => id) },
  });
}

/** Lets the driver remove what it has; where that fails, the volume gets its name back. */
async function finishRemoval(dataRoot: string, name: string, { fd, record, aside }: Removed): Promise<void> {
  const place = { dataRoot, name, directory: `${volumesOf(dataRoot)}/${aside}` };
  try {
    const driver = await driverOf(record.driver);
    await unmountAll(place, record, driver);
    await driver.remove(place);
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

/**
 * Gives a volume another name.
 * @throws TinyrunError NOT_FOUND, EXISTS; STATE while it is in use; UNSUPPORTED where its driver has names of its own
 */
export async function renameVolume(dataRoot: string, from: string, to: string): Promise<void> {
  assertVolumeName(to);
  const record = findRecord(dataRoot, from);
  if (record === undefined) throw noSuchVolume(from);
  if (record.driver !== 'local' && record.driver !== 'image')
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
