// The record of a container: DATA_ROOT/containers/ID/container.json. It is what a container *is*, whether or not anything of
// it runs: it is made by `create`, read by all others, and goes with `rm`. The directory is also the bundle that the runtime
// is given at each start.
//
//   flock on DATA_ROOT/containers      held for moments: a name is taken, a record appears or goes
//   flock on DATA_ROOT/containers/ID   held while one container is made, started, changed or removed
//   flock on container.json in it      shared by who waits for its end: it is not removed before they know how it ended
//
// A directory without container.json is half-made, or half-removed: unlocked, it is the leftover of a tinyrun that was killed
// (repair.ts).

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, listDirectory, readSmall } from '../disk/files.ts';
import { lockDirectory, lockOpen } from '../disk/lock.ts';
import { makeDirectories, writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { CONTAINER_RECORD, containerDirectory, containersDirectory } from '../oci/state.ts';
import type { ContainerConfig, HostConfig } from './config.ts';

export interface ContainerRecord {
  /** 64 hexadecimal digits. */
  id: string;
  name: string;
  /** RFC 3339, UTC. */
  created: string;
  /** The image as it was given, its id (`sha256:...`), and its topmost layer; undefined: it has none. */
  image: string;
  imageId: string;
  chainId: string | undefined;
  config: ContainerConfig;
  hostConfig: HostConfig;
}

/** A record is small, but for what the user has put in its labels and environment. */
const RECORD_LIMIT = 16 * 1024 * 1024;

/** Whether a text is a whole id. */
export const isContainerId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** Makes the directories that all containers are in; they are closed to others, who might run a setuid file of an image. */
export function makeContainersDirectory(dataRoot: string): string {
  const directory = containersDirectory(dataRoot);
  makeDirectories(directory, 0o711);
  return directory;
}

/**
 * Reads a record.
 * @returns undefined where there is none
 * @throws TinyrunError HOST if it is damaged
 */
export function readRecord(dataRoot: string, id: string): ContainerRecord | undefined {
  const path = `${containerDirectory(dataRoot, id)}/${CONTAINER_RECORD}`;
  const text = readSmall(AT_FDCWD, path, RECORD_LIMIT);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (isRecord(value, id)) return value;
  throw new TinyrunError('HOST', `read container ${id}: ${path} is damaged`, {
    hint: '`tinyrun rm --force` with the whole id removes the container',
    data: { id },
  });
}

/** Of a file of our own: enough to tell it from another, or a half of one. */
function isRecord(value: unknown, id: string): value is ContainerRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { config, hostConfig, ...record }: Partial<Record<keyof ContainerRecord, unknown>> = value;
  const isObject = (part: unknown): boolean => typeof part === 'object' && part !== null;
  return record.id === id && typeof record.name === 'string' && isObject(config) && isObject(hostConfig);
}

/**
 * Writes a record, new or changed. The caller holds the container's lock.
 * @throws SystemError
 */
export function writeRecord(dataRoot: string, record: ContainerRecord): void {
  const path = `${containerDirectory(dataRoot, record.id)}/${CONTAINER_RECORD}`;
  writeFileAtomic(path, `${JSON.stringify(record)}\n`);
}

/** The ids that have a directory here, with a record or without, sorted. */
export const listContainerIds = (dataRoot: string): string[] =>
  listDirectory(containersDirectory(dataRoot)).filter(isContainerId).sort();

/**
 * All containers that have a record, the newest first.
 * @throws TinyrunError HOST if one is damaged
 */
export function listContainerRecords(dataRoot: string): ContainerRecord[] {
  const records = listContainerIds(dataRoot).flatMap((id) => readRecord(dataRoot, id) ?? []);
  return records.sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : 0));
}

/**
 * Locks a container, after waiting for who has it; close the descriptor to unlock it.
 * @param patience milliseconds; undefined: without end
 * @returns undefined where there is none (any more)
 * @throws TinyrunError STATE where that was too long
 */
export function lockContainer(dataRoot: string, id: string, patience?: number): number | undefined {
  const directory = containerDirectory(dataRoot, id);
  if (!exists(AT_FDCWD, directory)) return undefined;
  let fd: number;
  try {
    fd = patience === undefined ? lockDirectory(directory) : lockSoon(directory, id, patience);
  } catch (error) {
    if (error instanceof SystemError && error.errno === 'ENOENT') return undefined;
    throw error;
  }
  if (exists(fd, CONTAINER_RECORD)) return fd;
  close(fd); // it was removed while we waited
  return undefined;
}

function lockSoon(directory: string, id: string, patience: number): number {
  for (let waited = 0; waited <= patience; waited += LOCK_STEP) {
    const fd = lockDirectory(directory, { wait: false });
    if (fd !== undefined) return fd;
    Bun.sleepSync(LOCK_STEP);
  }
  throw new TinyrunError('STATE', `container ${id} is being changed by another command`, {
    hint: 'try again when that has ended',
  });
}

/** Between two tries; milliseconds. */
const LOCK_STEP = 10;

/**
 * Keeps a container from being removed until the descriptor is closed.
 * @param how `shared`: by who looks at it; `alone`: by who is about to remove it, after waiting for those
 * @returns undefined where there is none, or it is being removed
 */
export function holdRecord(dataRoot: string, id: string, how: 'shared' | 'alone'): number | undefined {
  const path = `${containerDirectory(dataRoot, id)}/${CONTAINER_RECORD}`;
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_RDONLY', 'O_NOFOLLOW', 'O_CLOEXEC'), 0);
  if (fd < 0) return undefined;
  if (lockOpen(fd, how === 'shared' ? { shared: true, wait: false } : {})) return fd;
  close(fd);
  return undefined;
}
