// The processes of a container: all that are in its cgroup, and in cgroups made below it.

import { close, SystemError } from '../../../native-bindings/libc.ts';
import { isUnified } from '../../cgroup/path.ts';
import { AT_FDCWD, openDirectory, readDirectory, readSmall } from '../files.ts';
import { type Cgroups, directoryV2 } from './files.ts';

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
  collect(AT_FDCWD, directory, pids);
  return [...pids];
}

/** A container may have made cgroups below its own, as deep as it likes: each is opened in the one above. */
function collect(parent: number, name: string, pids: Set<number>): void {
  const fd = openDirectory(parent, name);
  if (fd === undefined) return;
  try {
    for (const line of readProcs(fd).split('\n')) {
      const pid = Number(line);
      if (pid > 0) pids.add(pid);
    }
    // The kernel's own files are no directories; a name tells nothing, as the container chooses it.
    for (const below of readDirectory(fd)) collect(fd, below, pids);
  } finally {
    close(fd);
  }
}

/** Beyond PID_MAX_LIMIT, which is 2^22, numbers of 8 bytes each. */
const LIMIT = 64 << 20;

function readProcs(fd: number): string {
  try {
    return readSmall(fd, 'cgroup.procs', LIMIT) ?? '';
  } catch (error) {
    // Removed meanwhile; or a threaded cgroup, whose processes are listed by the one above it.
    if (error instanceof SystemError && (error.errno === 'ENODEV' || error.errno === 'EOPNOTSUPP')) return '';
    throw error;
  }
}
