// Which containers use which volumes: DATA_ROOT/containers/ID/mounts.json, written before anything of it is made or
// mounted, and gone when the container is. So a volume is in use from the moment somebody asks for it.
//
//   flock on containers/ID   held by who makes, changes or removes the container
//
// What is said here of a container that is gone, because a tinyrun was killed or the host was started anew, is found out
// by who meets it: runtime/stale-uses.ts.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, modeOf, openDirectory, readDirectory, readSmall } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { CONTAINER_RECORD, containerDirectory, containersDirectory, USES } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import type { VolumeMount } from './mount.ts';

/** One entry of a container's Mounts, as Docker's inspect shows it. */
export interface MountPoint {
  Type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** Of a volume. */
  Name?: string;
  /** Host path of what is mounted; an image's id; empty for a tmpfs. */
  Source: string;
  Destination: string;
  /** Of a volume. */
  Driver?: string;
  /** The options of -v as they were written. */
  Mode: string;
  RW: boolean;
  /** Empty for all but binds. */
  Propagation: string;
}

/** One mount of a container: what is shown of it, and what was asked for. */
export interface Use {
  point: MountPoint;
  request: VolumeMount;
  /** Nobody named the volume: it may go with the container. */
  anonymous?: true;
  /** Mounted while the container ran already. */
  attached?: true;
  /** It is being attached or detached; of a tinyrun that was killed at it nobody knows whether the mount is there. */
  changing?: true;
  /** Identity of the directory or file that it shows (disk/inode.ts), of what was attached. */
  root?: string;
  /** Its volume is more than a directory: its driver mounts it, and says where. */
  driven?: true;
}

/** Whether a mount came while the container ran. */
export const isAttached = ({ attached }: Use): boolean => attached === true;

/** What mounts.json holds. */
export interface Uses {
  name?: string;
  /** Where the container's state is while it runs. */
  stateRoot: string;
  /** The container leaves nothing behind when it ends, its anonymous volumes neither. */
  transient: boolean;
  mounts: Use[];
  /** It is being removed, and uses nothing any more; these volumes are to go with it. */
  removing?: string[];
}

/** A container that uses a volume, running or not. */
export interface User {
  id: string;
  name: string | undefined;
  destinations: string[];
}

/**
 * Mode of a directory that was made for mounts.json alone: the sticky bit, which means nothing on a directory that nobody
 * else writes to, tells it from one that a host program is just filling. Killed before it had the file, it is a leftover.
 */
export const USES_MODE = 0o1700;

/** Whether it is a container with a record: what is not is gone when it has ended. */
export const hasRecord = (dataRoot: string, id: string): boolean =>
  exists(AT_FDCWD, `${containerDirectory(dataRoot, id)}/${CONTAINER_RECORD}`);

/**
 * Writes what a container uses; its directory is there, and locked by the caller. Throws SystemError.
 * @param durable of a container with a record; any other does not outlive a reboot
 */
export function writeUses(dataRoot: string, id: string, uses: Uses, durable = hasRecord(dataRoot, id)): void {
  const path = `${containerDirectory(dataRoot, id)}/${USES}`;
  writeFileAtomic(path, `${JSON.stringify(uses)}\n`, 0o600, durable);
}

/**
 * Writes down what has become of one mount; the container's directory is locked by the caller.
 * @throws SystemError
 */
export function changeUse(
  dataRoot: string,
  id: string,
  destination: string,
  change: (use: Use) => Use,
): void {
  const uses = readUses(dataRoot, id);
  if (uses === undefined) return;
  const mounts = uses.mounts.map((use) => (use.point.Destination === destination ? change(use) : use));
  writeUses(dataRoot, id, { ...uses, mounts });
}

/** Takes it away; nothing there is fine. Throws SystemError. */
export function removeUses(dataRoot: string, id: string): void {
  const directory = containerDirectory(dataRoot, id);
  const result = rawSyscall('unlinkat', AT_FDCWD, `${directory}/${USES}`, 0);
  if (result < 0 && result !== -errnos['ENOENT']!)
    throw new SystemError(`remove ${directory}/${USES}`, -result);
}

/**
 * Reads what a container uses; undefined where nothing is said of it.
 * @throws TinyrunError HOST if the file is damaged
 */
export function readUses(dataRoot: string, id: string): Uses | undefined {
  return readIn(AT_FDCWD, containerDirectory(dataRoot, id), id);
}

function readIn(dir: number, directory: string, id: string): Uses | undefined {
  const text = readSmall(dir, `${directory}/${USES}`, LIMIT);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isUses(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new TinyrunError('HOST', `read what container ${id} mounts: ${USES} is damaged`, {
    hint: `see ${directory}/${USES}; without it, its volumes count as unused`,
    data: { id },
  });
}

/** A thousand mounts have some hundred kilobytes. */
const LIMIT = 16 << 20;

function isUses(value: unknown): value is Uses {
  if (typeof value !== 'object' || value === null || !('mounts' in value)) return false;
  if (!('stateRoot' in value) || typeof value.stateRoot !== 'string') return false;
  return Array.isArray(value.mounts) && value.mounts.every(isUse);
}

function isUse(value: unknown): value is Use {
  if (typeof value !== 'object' || value === null || !('point' in value) || !('request' in value))
    return false;
  const { point } = value;
  return typeof point === 'object' && point !== null && 'Type' in point && 'Destination' in point;
}

/** The ids whose directory was made for a mounts.json that is not there (yet). */
export function listUnwritten(dataRoot: string): string[] {
  const containers = openDirectory(AT_FDCWD, containersDirectory(dataRoot));
  if (containers === undefined) return [];
  try {
    return readDirectory(containers).filter((id) => {
      if (id.startsWith('.') || exists(containers, `${id}/${USES}`)) return false;
      const fd = openDirectory(containers, id);
      if (fd === undefined) return false;
      const mode = modeOf(fd) & 0o7777;
      close(fd);
      return mode === USES_MODE;
    });
  } finally {
    close(containers);
  }
}

/** Everybody who says that he uses anything, by id. */
export function listUses(dataRoot: string): Map<string, Uses> {
  const found = new Map<string, Uses>();
  const containers = openDirectory(AT_FDCWD, containersDirectory(dataRoot));
  if (containers === undefined) return found;
  try {
    for (const id of readDirectory(containers).sort()) {
      const uses = readIn(containers, id, id);
      if (uses !== undefined) found.set(id, uses);
    }
    return found;
  } finally {
    close(containers);
  }
}

/** The users of each volume that has some: one look for all volumes. */
export function usersByVolume(dataRoot: string): Map<string, User[]> {
  const users = new Map<string, User[]>();
  for (const [id, uses] of listUses(dataRoot)) {
    if (uses.removing !== undefined) continue;
    const byName = new Map<string, string[]>();
    for (const { point } of uses.mounts)
      if (point.Name !== undefined)
        byName.set(point.Name, [...(byName.get(point.Name) ?? []), point.Destination]);
    for (const [volume, destinations] of byName)
      users.set(volume, [...(users.get(volume) ?? []), { id, name: uses.name, destinations }]);
  }
  return users;
}

/** The containers that use a volume, running or not. */
export const usersOf = (dataRoot: string, volume: string): User[] =>
  usersByVolume(dataRoot).get(volume) ?? [];
