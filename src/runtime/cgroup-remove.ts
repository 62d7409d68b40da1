// Removing a container's cgroups, with those that were made below them inside of the container; before that, on demand,
// what still runs there is killed. By raw system calls, as files.ts. cgroups(7); kernel, cgroup-v2.rst, "cgroup.kill";
// cgroup-v1/freezer-subsystem.rst.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory } from '../disk/files.ts';
import { errnos } from '../sys/errno.ts';
import { pidsBelow, signalListed } from './cgroup/processes.ts';
import { walkBelow } from './cgroup/walk.ts';

/** As state.json keeps it. */
export interface SavedCgroup {
  /** As in /proc/self/cgroup; empty for the unified hierarchy. */
  controllers: string;
  path: string;
  /** It was there before the container, and stays. */
  existing?: true;
}

/** How long killed processes may take to leave. */
const PATIENCE_MS = 10_000;
const O_WRONLY = flag('O_WRONLY', 'O_CLOEXEC');
const AT_REMOVEDIR = flag('AT_REMOVEDIR');

/** Kills all processes in a container's cgroups and below, also when they are frozen; some may end a moment later. */
export function killCgroups(cgroups: readonly SavedCgroup[]): void {
  const own = cgroups.filter(({ existing }) => !existing);
  const unified = own.find(({ controllers }) => controllers === '');
  const freezer = own.find(({ controllers }) => controllers.split(',').includes('freezer'));
  const killed = unified !== undefined && writeIn(AT_FDCWD, `${unified.path}/cgroup.kill`, '1') === 0;
  const place = freezer ?? (killed ? undefined : own[0]);
  if (place === undefined) return;
  // Frozen, nobody forks away while the list is read; what is killed dies when it is thawed.
  if (freezer !== undefined && !killed) writeIn(AT_FDCWD, `${freezer.path}/freezer.state`, 'FROZEN');
  if (!killed) signalListed(() => pidsBelow(place.path), flag('SIGKILL'), `cgroup ${place.path}`);
  if (freezer !== undefined) thawAll(freezer.path);
}

/** Thaws a cgroup and those below it. */
function thawAll(path: string): void {
  const top = openDirectory(AT_FDCWD, path);
  if (top === undefined) return;
  const thaw = (fd: number): void => {
    writeIn(fd, 'freezer.state', 'THAWED');
  };
  try {
    thaw(top);
    walkBelow(top, { enter: thaw });
  } finally {
    close(top);
  }
}

/**
 * Removes the cgroups that were made for a container; what is gone already is fine.
 * @param kill what is in them is killed; otherwise they must be empty, but for what is dying
 * @throws SystemError naming the cgroup that is still in use
 */
export function removeCgroups(cgroups: readonly SavedCgroup[], kill: boolean): void {
  const own = cgroups.filter(({ existing }) => !existing);
  for (let waited = 0; ; waited++) {
    const busy = own.find(({ path }) => !removeAll(path));
    if (busy === undefined) return;
    if (waited > PATIENCE_MS) throw new SystemError(`remove cgroup ${busy.path}`, errnos['EBUSY']!);
    // What forks while it is killed is killed the next time.
    if (kill) killCgroups(own);
    Bun.sleepSync(1);
  }
}

/** Removes a cgroup and those below it, the lowest first; false where something is in one of them. */
function removeAll(path: string): boolean {
  if (remove(AT_FDCWD, path, path)) return true;
  const top = openDirectory(AT_FDCWD, path);
  if (top === undefined) return true;
  try {
    walkBelow(top, {
      leave: (parent, name) => {
        remove(parent, name, `one below ${path}`);
      },
    });
  } finally {
    close(top);
  }
  return remove(AT_FDCWD, path, path);
}

function remove(directory: number, name: string | Uint8Array, what: string): boolean {
  const result = rawSyscall('unlinkat', directory, name, AT_REMOVEDIR);
  if (result === 0 || result === -errnos['ENOENT']!) return true;
  if (result === -errnos['EBUSY']! || result === -errnos['ENOTEMPTY']!) return false;
  throw new SystemError(`remove cgroup ${what}`, -result);
}

/** Writes a word to a file, whose path may start at an open cgroup; the negative errno where it cannot. */
function writeIn(directory: number, path: string, word: string): number {
  const fd = rawSyscall('openat', directory, path, O_WRONLY, 0);
  if (fd < 0) return fd;
  const bytes = new TextEncoder().encode(word);
  const result = rawSyscall('write', fd, bytes, bytes.length);
  close(fd);
  return Math.min(result, 0);
}
