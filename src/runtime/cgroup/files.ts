// The directories of a container's cgroup and the small text files in them, through raw system calls. cgroups(7).
//
// On a host with v1 hierarchies each controller has a directory of its own (`memory`, `cpu,cpuacct`, `name=systemd`), and
// the unified one, if it is mounted as well, may have what v1 does not use. On a unified host there is one directory.

import {
  close,
  flag,
  open,
  rawSyscall,
  readInto,
  SystemError,
  writeAll,
} from '../../../native-bindings/libc.ts';
import { TinyrunError } from '../../errors.ts';
import { errnos } from '../../sys/errno.ts';
import type { SavedCgroup } from '../cgroup-remove.ts';

/** The directories of a container's cgroup, as state.json has them. */
export type Cgroups = readonly Pick<SavedCgroup, 'controllers' | 'path'>[];

/** The directory in which a v1 controller's files are. */
export const directoryV1 = (cgroups: Cgroups, controller: string): string | undefined =>
  cgroups.find(({ controllers }) => controllers.split(',').includes(controller))?.path;

/** The directory in the unified hierarchy. */
export const directoryV2 = (cgroups: Cgroups): string | undefined =>
  cgroups.find(({ controllers }) => controllers === '')?.path;

const decoder = new TextDecoder();
/** Statistics of hundreds of devices and CPUs take some ten kilobytes. */
const CHUNK = 16384;

/**
 * Reads a file of a cgroup.
 * @returns undefined where there is none, or where the cgroup was removed meanwhile
 * @throws SystemError
 */
export function readCgroupFile(path: string): string | undefined {
  const fd = open(path, flag('O_RDONLY'));
  if (fd < 0) return absent(`open ${path}`, fd);
  try {
    let text = '';
    for (const bytes = new Uint8Array(CHUNK); ; ) {
      const got = readInto(fd, bytes);
      if (got < 0) return absent(`read ${path}`, got);
      if (got === 0) return text;
      text += decoder.decode(bytes.subarray(0, got)); // ASCII: no character is split
    }
  } finally {
    close(fd);
  }
}

/** Of a file that the kernel has but cannot read now (EOPNOTSUPP: the feature is off), nothing is known either. */
const ABSENT = ['ENOENT', 'ENODEV', 'ENOTDIR', 'EOPNOTSUPP'].map((name) => -errnos[name]!);

function absent(what: string, result: number): undefined {
  if (ABSENT.includes(result)) return undefined;
  throw new SystemError(what, -result);
}

/**
 * Writes a file of a cgroup, which the kernel takes or refuses as a whole.
 * @throws SystemError naming value and file
 */
export function writeCgroupFile(path: string, value: string): void {
  const what = `write ${JSON.stringify(value)} to ${path}`;
  const fd = open(path, flag('O_WRONLY'));
  if (fd < 0) throw new SystemError(what, -fd);
  try {
    const bytes = new TextEncoder().encode(value);
    const wrote = rawSyscall('write', fd, bytes, bytes.length);
    if (wrote < 0) throw new SystemError(what, -wrote);
    if (wrote < bytes.length) writeAll(fd, bytes.subarray(wrote));
  } finally {
    close(fd);
  }
}

/** What is missing where a container has no cgroup that an operation needs. */
export function lacksController(what: string, controller: string, cgroups: Cgroups): TinyrunError {
  const has =
    cgroups.length === 0
      ? 'it has no cgroup of its own'
      : `it has cgroups of ${cgroups.map(({ controllers }) => controllers || 'the unified hierarchy').join(', ')} only`;
  return new TinyrunError('STATE', `${what}: no cgroup of the ${controller} controller: ${has}`, {
    data: { controller },
  });
}

/** Puts an open file back to its start, to be read again. */
export function rewind(fd: number, path: string): void {
  const result = rawSyscall('lseek', fd, 0, flag('SEEK_SET'));
  if (result < 0) throw new SystemError(`rewind ${path}`, -result);
}
