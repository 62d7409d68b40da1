// `tinyrun pause` and `tinyrun resume`: all processes of a container stop where they are, and go on.

import { rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD } from '../disk/files.ts';
import { INIT_PIDFD, PAUSED_PIDFD } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { freeze, thaw } from './cgroup/freezer.ts';
import { withChanges } from './removal.ts';

/**
 * Pauses a container; returns when none of its processes runs any more.
 * @throws TinyrunError NOT_FOUND, or STATE if it does not run, in runc's words
 */
export function pauseContainer(root: string, id: string): void {
  withChanges(root, id, 'pause', ({ cgroups }) => {
    rename(root, id, INIT_PIDFD, PAUSED_PIDFD);
    try {
      freeze(id, cgroups);
    } catch (error) {
      rename(root, id, PAUSED_PIDFD, INIT_PIDFD);
      throw error;
    }
  });
}

/**
 * Lets a paused container go on.
 * @throws TinyrunError NOT_FOUND, or STATE if it is not paused, in runc's words
 */
export function resumeContainer(root: string, id: string): void {
  withChanges(root, id, 'resume', ({ cgroups }) => {
    thaw(id, cgroups);
    rename(root, id, PAUSED_PIDFD, INIT_PIDFD);
  });
}

/** A paused container is not one that programs for verbs deal with (plan/verbs.ts); some containers never are. */
function rename(root: string, id: string, from: string, to: string): void {
  const directory = `${root}/${id}`;
  const result = rawSyscall('renameat2', AT_FDCWD, `${directory}/${from}`, AT_FDCWD, `${directory}/${to}`, 0);
  if (result < 0 && result !== -errnos['ENOENT']!)
    throw new SystemError(`rename ${directory}/${from}`, -result);
}
