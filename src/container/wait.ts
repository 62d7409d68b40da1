// Waiting until a container has ended: until its process has, and its host program has written down how.

import { close, flag } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { waitFor } from '../runtime/poll.ts';
import { withPidfd } from '../runtime/process.ts';
import { findContainer } from '../runtime/store.ts';
import { type ContainerRecord, holdRecord } from './record.ts';
import { type StatusReport, statusOf } from './status.ts';

/** How often the end of the host program is looked for when that of the process has come; milliseconds. */
const STEP_MS = 5;

/**
 * Waits for the end of a container; one that does not run has ended.
 * @param patience milliseconds; undefined: without end
 * @returns undefined where it still runs
 */
export function waitForContainer(
  global: GlobalOptions,
  record: ContainerRecord,
  patience?: number,
): StatusReport | undefined {
  const held = holdRecord(global.dataRoot, record.id, 'shared'); // with --rm it goes at its end
  try {
    return hasEnded(global, record.id, patience) ? statusOf(global, record) : undefined;
  } finally {
    if (held !== undefined) close(held);
  }
}

function hasEnded({ root }: GlobalOptions, id: string, patience: number | undefined): boolean {
  const deadline = patience === undefined ? undefined : performance.now() + patience;
  const left = (): number | undefined => (deadline === undefined ? undefined : deadline - performance.now());
  for (;;) {
    const container = findContainer(root, id);
    if (container !== undefined && container.state.status !== 'stopped')
      withPidfd(container.init, (pidfd) => waitFor([{ fd: pidfd, events: flag('POLLIN') }], left()));
    // The host program has written down how it ended, and the state directory goes behind that.
    else if (!exists(AT_FDCWD, `${root}/${id}`)) return true;
    else Bun.sleepSync(STEP_MS);
    if ((left() ?? 1) <= 0) return false;
  }
}
