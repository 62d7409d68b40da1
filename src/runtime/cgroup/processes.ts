// The processes of a container: all that are in its cgroup, and in cgroups made below it.

import { close, SystemError } from '../../../native-bindings/libc.ts';
import { isUnified } from '../../cgroup/path.ts';
import { AT_FDCWD, openDirectory, readSmall } from '../files.ts';
import { type Cgroups, directoryV2 } from './files.ts';
import { walkBelow } from './walk.ts';

/**
 * The pids of all processes in the container, as the caller's pid namespace has them; one that is not seen from there
 * has none. Those that come and go meanwhile may be missing, unless it is frozen.
 * @throws SystemError
 */
export function pidsOf(cgroups: Cgroups): number[] {
  const directory = isUnified(cgroups)
    ? directoryV2(cgroups)
    : cgroups.find(({ controllers }) => controllers !== '')?.path;
  if (directory === undefined) return [];
  return pidsBelow(directory);
}

/**
 * The pids in a cgroup and in all that were made below it.
 * @param directory absolute
 */
export function pidsBelow(directory: string): number[] {
  const pids = new Set<number>();
  const collect = (fd: number): void => {
    for (const line of readProcs(fd).split('\n')) if (Number(line) > 0) pids.add(Number(line));
  };
  const top = openDirectory(AT_FDCWD, directory);
  if (top === undefined) return [];
  try {
    collect(top);
    walkBelow(top, { enter: collect });
  } finally {
    close(top);
  }
  return [...pids];
}

/** Beyond PID_MAX_LIMIT, which is 2^22, numbers of 8 bytes each. */
const LIMIT = 64 << 20;

/** The text of cgroup.procs in an open cgroup. */
function readProcs(fd: number): string {
  try {
    return readSmall(fd, 'cgroup.procs', LIMIT) ?? '';
  } catch (error) {
    // Removed meanwhile; or a threaded cgroup, whose processes are listed by the one above it.
    if (error instanceof SystemError && (error.errno === 'ENODEV' || error.errno === 'EOPNOTSUPP')) return '';
    throw error;
  }
}
