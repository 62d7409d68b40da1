// The state store: ROOT/ID/state.json and init.stat, which the host program writes (plan/state.ts), read back as
// containers. Their removal is in removal.ts.
//
//   flock on ROOT      held for moments: while a state directory is made and locked, or removed
//   flock on ROOT/ID   held by the host program as long as it lives; whoever else gets it knows that it is gone
//   flock on ROOT/ID/init.stat   held for moments by who changes a container that runs: pause, resume, update
//
// A state directory without state.json, or whose container is still being created, is half-made. Half-made and unlocked,
// or transient, ended and unlocked: the leftover of a tinyrun that was killed. A removal that is interrupted leaves
// state.json in place, and is repeated.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import {
  AT_FDCWD,
  exists,
  listDirectory,
  openDirectory,
  ownerOf,
  readLink,
  readSmall,
} from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import {
  ATTACHED,
  CGROUP_PATHS,
  CREATING_FIFO,
  containerDirectory,
  EXEC_FIFO,
  INIT_STAT,
  type State,
} from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { isPaused } from './cgroup/freezer.ts';
import type { SavedCgroup } from './cgroup-remove.ts';
import { isId } from './id.ts';
import { statOf } from './process.ts';
import { type Fifo, type ProcessStat, parseStat, statusOf } from './status.ts';

/** A container as it is now. */
export interface Container {
  /** As `tinyrun state` prints it; `pid` is 0 once it is stopped. */
  state: State;
  /** It leaves nothing behind when it ends. */
  transient: boolean;
  /** Its program and arguments, where the command line gave others than the config. */
  args: readonly string[] | undefined;
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
export const listIds = (root: string): string[] => listDirectory(root).filter(isId).sort();

/**
 * Where it is said which mounts a container got while it ran: DATA_ROOT/containers/ID; undefined: it got none.
 * @throws TinyrunError HOST if the note names anything else
 */
export function readAttached(root: string, id: string): string | undefined {
  const path = `${root}/${id}/${ATTACHED}`;
  const directory = readLink(AT_FDCWD, path);
  if (directory === undefined || isOwnDirectory(directory, id)) return directory;
  throw new TinyrunError('HOST', `read what container ${id} has attached: ${path} is damaged`, {
    hint: 'remove that file; `tinyrun volume prune` undoes what it was to tell',
    data: { id },
  });
}

/** It is removed with all that is in it: nothing but a container's own directory may be named in its state. */
const isOwnDirectory = (path: string, id: string): boolean =>
  path.startsWith('/') && path.endsWith(`/containers/${id}`);

/** Annotations may fill all that a config.json may be long (config-file.ts). */
const STATE_LIMIT = 32 * 1024 * 1024;

/**
 * The same by an open state directory, also of a half-made container.
 * @returns undefined where there is no state.json
 */
export function readLocked(fd: number, root: string, id: string, salvage?: string): Container | undefined {
  assertOwn(fd, root, id);
  const saved = readSaved(fd, root, id, salvage);
  if (saved === undefined) return undefined;
  const { tinyrun, pid } = saved;
  const created = parseStat(
    salvage === undefined ? (readSmall(fd, INIT_STAT) ?? '') : readOrNone(fd, INIT_STAT),
  );
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
    args: tinyrun.args,
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

/**
 * What stands in a state directory is done: processes are killed, trees removed, hooks run. So root takes none of anybody
 * else, who may have put it there where the state root is his.
 */
function assertOwn(fd: number, root: string, id: string): void {
  if (process.geteuid?.() !== 0) return;
  const uid = ownerOf(fd);
  if (uid !== 0)
    throw new TinyrunError(
      'HOST',
      `read state of container ${id}: ${root}/${id} belongs to user ${uid}, not to root`,
      {
        hint: 'call tinyrun as that user',
        data: { id, uid },
      },
    );
}

/** A `start` that was killed may have left the fifo: then nobody waits at it any more, and it has no reader (fifo(7)). */
function fifoIn(fd: number): Fifo {
  const how = flag('O_WRONLY', 'O_NONBLOCK', 'O_NOFOLLOW', 'O_CLOEXEC');
  const fifo = rawSyscall('openat', fd, EXEC_FIFO, how, 0);
  if (fifo >= 0) close(fifo);
  if (fifo >= 0) return 'created';
  return fifo === -errnos['ENOENT']! && exists(fd, CREATING_FIFO) ? 'creating' : 'none';
}

/** What state.json holds: the state without its status, and what only tinyrun needs. */
interface SavedState extends Omit<State, 'status'> {
  tinyrun: {
    transient: boolean;
    args?: string[];
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

/** What is known without state.json: init, from init.stat; where its own files would be; some cgroups (plan/verbs.ts). */
function salvaged(fd: number, id: string, dataRoot: string): SavedState {
  const pid = Number.parseInt(readOrNone(fd, INIT_STAT), 10) || 0;
  const paths = readOrNone(fd, CGROUP_PATHS).split('\0').filter(Boolean);
  return {
    ...{ ociVersion: '', bundle: '', rootfs: '', created: '', owner: '' },
    ...{ id, pid },
    tinyrun: {
      transient: false,
      dataDirectory: containerDirectory(dataRoot, id),
      cgroups: paths.map((path) => ({ controllers: 'unknown', path })),
    },
  };
}

/** A file of a container that is damaged anyway: one that cannot be read is none. */
function readOrNone(fd: number, name: string): string {
  try {
    return readSmall(fd, name) ?? '';
  } catch (error) {
    if (error instanceof SystemError) return '';
    throw error;
  }
}

function isSavedState(value: unknown, id: string): value is SavedState {
  if (typeof value !== 'object' || value === null) return false;
  const state: Partial<Record<keyof SavedState, unknown>> = value;
  const { tinyrun, pid } = state;
  if (typeof tinyrun !== 'object' || tinyrun === null || !('transient' in tinyrun)) return false;
  const data = 'dataDirectory' in tinyrun ? tinyrun.dataDirectory : undefined;
  if (data !== undefined && !(typeof data === 'string' && isOwnDirectory(data, id))) return false;
  if ('args' in tinyrun && !isTexts(tinyrun.args)) return false;
  if ('resctrl' in tinyrun && !isPaths(tinyrun.resctrl)) return false;
  if ('cgroups' in tinyrun && !isCgroups(tinyrun.cgroups)) return false;
  if ('unit' in tinyrun && typeof tinyrun.unit !== 'string') return false;
  const texts = [state.ociVersion, state.bundle, state.rootfs, state.created, state.owner];
  return state.id === id && typeof pid === 'number' && texts.every((text) => typeof text === 'string');
}

/** Absolute paths; of these only empty directories are removed. */
const isPaths = (value: unknown): boolean => isTexts(value) && value.every((path) => path.startsWith('/'));

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');

function isCgroups(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every(
    (place: Partial<Record<keyof SavedCgroup, unknown>> | null) =>
      typeof place?.controllers === 'string' && typeof place.path === 'string' && place.path.startsWith('/'),
  );
}
