// `tinyrun pause` and `tinyrun resume`: all processes of a container stop where they are, and go on.

import { freeze, thaw } from './cgroup/freezer.ts';
import { assertLegal } from './status.ts';
import { readContainer, withChanges } from './store.ts';

/**
 * Pauses a container; returns when none of its processes runs any more.
 * @throws TinyrunError NOT_FOUND, or STATE if it does not run, in runc's words
 */
export function pauseContainer(root: string, id: string): void {
  withChanges(root, id, () => {
    const { state, cgroups } = readContainer(root, id);
    assertLegal('pause', id, state.status);
    freeze(id, cgroups);
  });
}

/**
 * Lets a paused container go on.
 * @throws TinyrunError NOT_FOUND, or STATE if it is not paused, in runc's words
 */
export function resumeContainer(root: string, id: string): void {
  withChanges(root, id, () => {
    const { state, cgroups } = readContainer(root, id);
    assertLegal('resume', id, state.status);
    thaw(id, cgroups);
  });
}
