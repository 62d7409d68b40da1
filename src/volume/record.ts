// DATA_ROOT/volumes/NAME/volume.json: what is known of a volume besides its name. It is written once, before the volume
// has its name; so a volume either has a whole one, or somebody made the directory by hand. Of a driver other than `local`
// it is called driver.json: so the list of a thousand volumes need not read them all.

import { close, flag, rawSyscall, readInto, SystemError, whichExist } from '../../native-bindings/libc.ts';
import { readDirectory, readSmall } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import { DATA, openVolumes } from './directory.ts';
import type { VolumeRecord } from './driver.ts';
import { isVolumeName } from './names.ts';

const RECORD = 'volume.json';
const OTHER_RECORD = 'driver.json';
/** What a volume's record is called. */
export const recordOf = (driver: string): string => (driver === 'local' ? RECORD : OTHER_RECORD);

/** Of a directory that somebody put into the store by hand: Docker takes it for a local volume, too. */
export const FOREIGN: VolumeRecord = { driver: 'local', createdAt: '', labels: null, options: null };

const buffer = new Uint8Array(16 * 1024);
const decoder = new TextDecoder();
const READ = flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC');

/**
 * Reads a volume's record.
 * @param volumes fd of DATA_ROOT/volumes
 * @returns undefined where there is no such volume
 * @throws TinyrunError HOST if volume.json is damaged; SystemError
 */
export function readRecord(volumes: number, name: string): VolumeRecord | undefined {
  for (const file of [RECORD, OTHER_RECORD]) {
    const path = `${name}/${file}`;
    const fd = rawSyscall('openat', volumes, path, READ, 0);
    if (fd === -errnos['ENOENT']!) continue;
    if (fd === -errnos['ENOTDIR']!) return undefined;
    if (fd < 0) throw new SystemError(`read volume ${name}: open ${file}`, -fd);
    const size = readInto(fd, buffer);
    close(fd);
    const text =
      size < buffer.length ? decoder.decode(buffer.subarray(0, Math.max(size, 0))) : readSmall(volumes, path);
    return parseRecord(name, text ?? '');
  }
  return isDirectory(volumes, `${name}/${DATA}`) ? FOREIGN : undefined;
}

/**
 * The driver of each volume of the store, sorted by name: what the shortest list shows, without reading records of `local`.
 * @param onProblem told of damaged ones
 */
export function listDrivers(
  dataRoot: string,
  onProblem: (problem: Problem) => void,
): { name: string; driver: string }[] {
  return withNames(dataRoot, onProblem, (volumes, names) => {
    const isLocal = whichExist(
      volumes,
      names.map((name) => `${name}/${RECORD}`),
    );
    return (name, i) => {
      if (isLocal[i]) return { name, driver: 'local' };
      const record = readRecord(volumes, name);
      return record && { name, driver: record.driver };
    };
  });
}

/** The record of a volume; undefined where there is none. */
export function findRecord(dataRoot: string, name: string): VolumeRecord | undefined {
  if (!isVolumeName(name)) return undefined;
  const volumes = openVolumes(dataRoot);
  if (volumes === undefined) return undefined;
  try {
    return readRecord(volumes, name);
  } finally {
    close(volumes);
  }
}

/** What cannot be shown, or a plugin that does not answer, and why. */
export interface Problem {
  name: string;
  error: unknown;
}

/**
 * The records of all volumes of the store, sorted by name.
 * @param onProblem told of damaged ones; without it these are left out
 */
export function listRecords(
  dataRoot: string,
  onProblem?: (problem: Problem) => void,
): Map<string, VolumeRecord> {
  return new Map(
    withNames(dataRoot, onProblem, (volumes) => (name): [string, VolumeRecord] | undefined => {
      const record = readRecord(volumes, name);
      return record && [name, record];
    }),
  );
}

/** Looks at all that may be a volume, sorted; what `look` has nothing to say of is none. */
function withNames<T>(
  dataRoot: string,
  onProblem: ((problem: Problem) => void) | undefined,
  begin: (volumes: number, names: readonly string[]) => (name: string, i: number) => T | undefined,
): T[] {
  const volumes = openVolumes(dataRoot);
  if (volumes === undefined) return [];
  try {
    const found: T[] = [];
    const names = readDirectory(volumes).filter(isVolumeName).sort();
    const look = begin(volumes, names);
    names.forEach((name, i) => {
      try {
        const one = look(name, i);
        if (one !== undefined) found.push(one);
      } catch (error) {
        onProblem?.({ name, error });
      }
    });
    return found;
  } finally {
    close(volumes);
  }
}

/** In Docker's words. */
export const noSuchVolume = (name: string, hint?: string): TinyrunError =>
  new TinyrunError('NOT_FOUND', `get ${name}: no such volume`, {
    hint,
    data: { volume: name },
  });

function isDirectory(volumes: number, path: string): boolean {
  const fd = rawSyscall('openat', volumes, path, flag('O_PATH', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC'), 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** @throws TinyrunError HOST */
function parseRecord(name: string, text: string): VolumeRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: the same words as for JSON of another shape.
  }
  if (isRecord(value)) return value;
  throw new TinyrunError('HOST', `read volume ${name}: ${RECORD} is damaged`, {
    hint: `its data in ${DATA} is untouched; remove ${RECORD} to have a volume without labels and options, or the volume: volume rm --force`,
    data: { volume: name },
  });
}

function isRecord(value: unknown): value is VolumeRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record: Partial<Record<keyof VolumeRecord, unknown>> = value;
  return (
    typeof record.driver === 'string' &&
    typeof record.createdAt === 'string' &&
    isTexts(record.labels) &&
    isTexts(record.options)
  );
}

const isTexts = (value: unknown): boolean =>
  value === null ||
  (typeof value === 'object' && Object.values(value).every((text) => typeof text === 'string'));
