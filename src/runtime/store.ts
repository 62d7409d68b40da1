// The state store: ROOT/ID/state.json and init.stat, which the host program writes (plan/state.ts), read back as
// containers; and the removal of what is left of them.
//
//   flock on ROOT      held for moments: while a state directory is made and locked, or removed
//   flock on ROOT/ID   held by the host program as long as it lives; whoever else gets it knows that it is gone
//   flock on ROOT/ID/init.stat   held for moments by who changes a container that runs: pause, resume, update
//
// A state directory without state.json, or whose container is still being created, is half-made. Half-made and unlocked,
// or transient, ended and unlocked: the leftover of a tinyrun that was killed. A removal that is interrupted leaves
// state.json in place, and is repeated.

import { close, open, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { CREATING_FIFO, EXEC_FIFO, type State } from '../oci/state.ts';
import { constants } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import { isPaused } from './cgroup/freezer.ts';
import { killCgroups, removeCgroups, type SavedCgroup } from './cgroup-remove.ts';
import {
  AT_FDCWD,
  exists,
  flag,
  openDirectory,
  ownerOf,
  readDirectory,
  readSmall,
  removeTree,
} from './files.ts';
import { isId } from './id.ts';
import { endProcess, PATIENCE_MS, statOf } from './process.ts';
import { assertLegal, type Fifo, type Operation, type ProcessStat, parseStat, statusOf } from './status.ts';

/** A container as it is now. */
export interface Container {
  /** As `tinyrun state` prints it; `pid` is 0 once it is stopped. */
  state: State;
  /** It leaves nothing behind when it ends. */
  transient: boolean;
  /** Its root was made by chroot. */
  noPivot: boolean;
  /** Where its own layer and files are; undefined: it has none. */
  dataDirectory: string | undefined;
  /** Which hooks others than its host program have to run: their words are in the config of the state directory. */
  hooks: { poststart: boolean; poststop: boolean };
  /** Its directories of resource control, in the order of removal (plan/rdt.ts). */
  resctrl: readonly string[];
  /** Its cgroups; none with `--cgroup-manager disabled`. */
  cgroups: readonly SavedCgroup[];
  /** systemd's unit that its cgroup is; undefined: tinyrun made it. */
  unit: string | undefined;
  /** Init, also when it has ended; pid 0: it is not born yet. */
  init: { pid: number; stat: ProcessStat | undefined };
  /** Who made it. */
  uid: number;
}

/**
 * Reads one container.
 * @param root state root, absolute
 * @param salvage data root: of one whose state.json is damaged, what can be known is taken, so that it can be removed
 * @returns undefined where there is none, or only a half-made one
 * @throws TinyrunError HOST if state.json is no state
 */
export function findContainer(root: string, id: string, salvage?: string): Container | undefined {
  const fd = openDirectory(AT_FDCWD, `${root}/${id}`);
  if (fd === undefined) return undefined;
  try {
    const container = readLocked(fd, root, id, salvage);
    return container?.init.pid === 0 ? undefined : container;
  } finally {
    close(fd);
  }
}

/**
 * The same, where there must be one.
 * @throws TinyrunError NOT_FOUND in runc's words
 */
export function readContainer(root: string, id: string): Container {
  const container = findContainer(root, id);
  if (container === undefined) throw notFound(root, id);
  return container;
}

/** Engines and scripts look for these words of runc's. */
export const notFound = (root: string, id: string): TinyrunError =>
  new TinyrunError('NOT_FOUND', `container does not exist: ${id}`, { data: { id, root } });

/** The ids that have a state directory, half-made or not, sorted. */
export function listIds(root: string): string[] {
  const fd = openDirectory(AT_FDCWD, root);
  if (fd === undefined) return [];
  try {
    return readDirectory(fd).filter(isId).sort();
  } finally {
    close(fd);
  }
}

/** Annotations may fill all that a config.json may be long (config-file.ts). */
const STATE_LIMIT = 32 * 1024 * 1024;

/**
 * The same by an open state directory, also of a half-made container.
 * @returns undefined where there is no state.json
 */
export function readLocked(fd: number, root: string, id: string, salvage?: string): Container | undefined {
  const saved = readSaved(fd, root, id, salvage);
  if (saved === undefined) return undefined;
  const { tinyrun, pid } = saved;
  const created = parseStat(readStat(fd, salvage));
  const { cgroups = [] } = tinyrun;
  const frozen = () => isPaused(cgroups);
  const status = pid === 0 ? 'creating' : statusOf(created, statOf(pid), () => fifoIn(fd), frozen);
  return {
    // The order is that of runc's JSON.
    state: {
      ociVersion: saved.ociVersion,
      id,
      pid: status === 'stopped' ? 0 : pid,
      status,
      bundle: saved.bundle,
      rootfs: saved.rootfs,
      created: saved.created,
      ...(Object.keys(saved.annotations ?? {}).length > 0 ? { annotations: saved.annotations! } : {}),
      owner: saved.owner,
    },
    transient: tinyrun.transient,
    noPivot: tinyrun.noPivot === true,
    dataDirectory: tinyrun.dataDirectory,
    hooks: { poststart: tinyrun.poststart === true, poststop: tinyrun.poststop === true },
    resctrl: tinyrun.resctrl ?? [],
    cgroups,
    unit: tinyrun.unit,
    init: { pid, stat: created },
    uid: ownerOf(fd),
  };
}

/** A `start` that was killed may have left the fifo: then nobody waits at it any more, and it has no reader (fifo(7)). */
function fifoIn(fd: number): Fifo {
  const how = flag('O_WRONLY') | flag('O_NONBLOCK') | flag('O_NOFOLLOW') | flag('O_CLOEXEC');
  const fifo = rawSyscall('openat', fd, EXEC_FIFO, how, 0);
  if (fifo >= 0) close(fifo);
  if (fifo >= 0) return 'created';
  return fifo === -errnos['ENOENT']! && exists(fd, CREATING_FIFO) ? 'creating' : 'none';
}

/** What state.json holds: the state without its status, and what only tinyrun needs. */
interface SavedState extends Omit<State, 'status'> {
  tinyrun: {
    transient: boolean;
    noPivot?: boolean;
    poststart?: true;
    poststop?: true;
    dataDirectory?: string;
    resctrl?: string[];
    cgroups?: SavedCgroup[];
    unit?: string;
  };
}

function readSaved(fd: number, root: string, id: string, salvage?: string): SavedState | undefined {
  let value: unknown;
  try {
    const text = readSmall(fd, 'state.json', STATE_LIMIT);
    if (text === undefined) return undefined;
    value = JSON.parse(text);
  } catch (error) {
    // Not JSON, or not even a file: the same words as for JSON of another shape.
    const isNoFile = error instanceof SystemError && ['ELOOP', 'EISDIR'].includes(error.errno);
    if (!(error instanceof SyntaxError || isNoFile)) throw error;
  }
  if (isSavedState(value, id)) return value;
  if (salvage !== undefined) return salvaged(fd, id, salvage);
  throw new TinyrunError('HOST', `read state of container ${id}: ${root}/${id}/state.json is damaged`, {
    hint: '`tinyrun delete --force` removes it',
    data: { id },
  });
}

/** What is known without state.json: init, from init.stat, and where its own files would be. */
function salvaged(fd: number, id: string, dataRoot: string): SavedState {
  const pid = Number.parseInt(readStat(fd, dataRoot), 10) || 0;
  const unknown = { ociVersion: '', bundle: '', rootfs: '', created: '', owner: '' };
  return {
    ...unknown,
    id,
    pid,
    tinyrun: { transient: false, dataDirectory: `${dataRoot}/containers/${id}` },
  };
}

/** init.stat; of a container that is damaged anyway, one that cannot be read is none. */
function readStat(fd: number, salvage: string | undefined): string {
  try {
    return readSmall(fd, 'init.stat') ?? '';
  } catch (error) {
    if (salvage === undefined || !(error instanceof SystemError)) throw error;
    return '';
  }
}

function isSavedState(value: unknown, id: string): value is SavedState {
  if (typeof value !== 'object' || value === null) return false;
  const state: Partial<Record<keyof SavedState, unknown>> = value;
  const { tinyrun, pid } = state;
  if (typeof tinyrun !== 'object' || tinyrun === null || !('transient' in tinyrun)) return false;
  const data = 'dataDirectory' in tinyrun ? tinyrun.dataDirectory : undefined;
  // It is removed with all that is in it: nothing but a container's own directory may be named here.
  if (
    data !== undefined &&
    !(typeof data === 'string' && data.startsWith('/') && data.endsWith(`/containers/${id}`))
  )
    return false;
  if ('resctrl' in tinyrun && !isPaths(tinyrun.resctrl)) return false;
  if ('cgroups' in tinyrun && !isCgroups(tinyrun.cgroups)) return false;
  if ('unit' in tinyrun && typeof tinyrun.unit !== 'string') return false;
  const texts = [state.ociVersion, state.bundle, state.rootfs, state.created, state.owner];
  return state.id === id && typeof pid === 'number' && texts.every((text) => typeof text === 'string');
}

/** Absolute paths; of these only empty directories are removed. */
const isPaths = (value: unknown): boolean =>
  Array.isArray(value) && value.every((path) => typeof path === 'string' && path.startsWith('/'));

function isCgroups(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every(
    (place: Partial<Record<keyof SavedCgroup, unknown>> | null) =>
      typeof place?.controllers === 'string' && typeof place.path === 'string' && place.path.startsWith('/'),
  );
}

/**
 * Does something while nobody else changes the running container: pause, resume and update wait for each other, and its
 * removal for them. Where it has ended meanwhile, that is why the change failed.
 * @throws TinyrunError NOT_FOUND, or STATE if the operation is not legal in its status
 */
export function withChanges<T>(
  root: string,
  id: string,
  operation: Operation,
  change: (container: Container) => T,
): T {
  const fd = openStat(root, id);
  if (fd === -errnos['ENOENT']!) throw notFound(root, id);
  if (fd < 0) throw new SystemError(`open ${root}/${id}/init.stat`, -fd);
  const legal = (): Container => {
    const container = readContainer(root, id);
    assertLegal(operation, id, container.state.status);
    return container;
  };
  try {
    const result = rawSyscall('flock', fd, constants['LOCK_EX']!);
    if (result < 0) throw new SystemError(`lock container ${id}`, -result);
    const container = legal();
    try {
      return change(container);
    } catch (error) {
      legal();
      throw error;
    }
  } finally {
    close(fd);
  }
}

const openStat = (root: string, id: string): number =>
  open(`${root}/${id}/init.stat`, flag('O_RDONLY') | flag('O_NOFOLLOW') | flag('O_NONBLOCK'));

/** Waits, with some patience, until nobody changes the container any more: what they write would be in the way. */
function awaitChanges(root: string, id: string): void {
  const fd = openStat(root, id);
  if (fd < 0) return;
  const lock = (): number => rawSyscall('flock', fd, constants['LOCK_EX']! | constants['LOCK_NB']!);
  for (let waited = 0; waited < PATIENCE_MS && lock() === -errnos['EAGAIN']!; waited++) Bun.sleepSync(1);
  close(fd);
}

// Removal

/** A container's own lock: its state directory, or why it is not ours. */
export type Lock = { fd: number } | 'gone' | 'held';

/** Tries to lock a container's state directory; close `fd` to unlock it. */
export function lockContainer(root: string, id: string): Lock {
  return withRoot(root, 'gone', (rootFd) => {
    const fd = openDirectory(rootFd, id);
    if (fd === undefined) return 'gone';
    const result = rawSyscall('flock', fd, constants['LOCK_EX']! | constants['LOCK_NB']!);
    if (result === 0 && exists(rootFd, id)) return { fd };
    close(fd);
    if (result === 0) return 'gone'; // its host program removed it before we got the lock
    if (result === -errnos['EAGAIN']!) return 'held';
    throw new SystemError(`lock container ${id}`, -result);
  });
}

/** Does something while the state root is locked: no state directory appears or is locked meanwhile. */
function withRoot<T>(root: string, absent: T, use: (rootFd: number) => T): T {
  const rootFd = openDirectory(AT_FDCWD, root);
  if (rootFd === undefined) return absent;
  try {
    const result = rawSyscall('flock', rootFd, constants['LOCK_EX']!);
    if (result < 0) throw new SystemError(`lock the state root ${root}`, -result);
    return use(rootFd);
  } finally {
    close(rootFd);
  }
}

/** What a container has besides its state directory. */
export type Belongings = Pick<Container, 'dataDirectory' | 'cgroups' | 'resctrl'>;

/**
 * Removes a container whose lock we hold, and whose init has ended: what is left in its cgroups, those, its own files, and
 * its id last.
 * @throws SystemError naming what could not be removed; a second try goes on from there
 */
export function removeLocked(
  root: string,
  id: string,
  { dataDirectory, cgroups, resctrl }: Belongings,
): void {
  removeCgroups(cgroups, true);
  awaitChanges(root, id);
  for (const path of resctrl) {
    const result = rawSyscall('unlinkat', AT_FDCWD, path, constants['AT_REMOVEDIR']!);
    if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove ${path}`, -result);
  }
  if (dataDirectory !== undefined) removeData(dataDirectory);
  withRoot(root, undefined, (rootFd) => removeTree(rootFd, id));
}

/**
 * Removes a container that was never finished, and whose lock we hold: nobody is making it any more.
 * @param container undefined: it has no state.json, and so no process and no cgroup
 */
export function removeHalfMade(
  root: string,
  id: string,
  container: Container | undefined,
  dataRoot: string | undefined,
): void {
  const dataDirectory = dataRoot === undefined ? undefined : `${dataRoot}/containers/${id}`;
  // Init may have been told already to outlive the one that made it.
  if (container !== undefined)
    endProcess(container.init, `container ${id}`, () => killCgroups(container.cgroups));
  removeLocked(root, id, container ?? { dataDirectory, cgroups: [], resctrl: [] });
}

/**
 * Removes what a killed tinyrun left of a container; anything else it leaves alone.
 * @param root state root, absolute
 * @param dataRoot absolute: a half-made container's own files are looked for there; undefined: they are not
 * @param decided its host program has ended it: it goes, though it has a name
 * @returns whether it removed anything
 */
export function removeStale(root: string, id: string, dataRoot?: string, decided = false): boolean {
  const lock = lockContainer(root, id);
  if (lock === 'gone' && dataRoot !== undefined)
    return removeOrphan(root, id, `${dataRoot}/containers/${id}`);
  if (typeof lock === 'string') return false;
  try {
    const container = readLocked(lock.fd, root, id);
    if (container === undefined || container.state.status === 'creating')
      removeHalfMade(root, id, container, dataRoot);
    else if (!(container.transient || decided) || container.state.status !== 'stopped') return false;
    else removeLocked(root, id, container);
    return true;
  } finally {
    close(lock.fd);
  }
}

/**
 * Removes a container's own files whose state is gone: the state root does not outlive a reboot, the data root does. The
 * state root is made first, if need be: only with its lock is it certain that nobody takes the id meanwhile.
 */
function removeOrphan(root: string, id: string, dataDirectory: string): boolean {
  if (!exists(AT_FDCWD, dataDirectory)) return false;
  rawSyscall('mkdirat', AT_FDCWD, root, 0o711);
  return withRoot(root, false, (rootFd) => {
    if (exists(rootFd, id)) return false;
    removeData(dataDirectory);
    return true;
  });
}

function removeData(dataDirectory: string): void {
  const slash = dataDirectory.lastIndexOf('/');
  const parent = openDirectory(AT_FDCWD, dataDirectory.slice(0, slash));
  if (parent === undefined) return;
  try {
    removeTree(parent, dataDirectory.slice(slash + 1));
  } finally {
    close(parent);
  }
}
