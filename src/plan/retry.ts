// openat2(2) with RESOLVE_IN_ROOT answers EAGAIN where a `..` on the way was followed while anybody on the machine
// renamed or mounted something: the kernel then cannot tell whether the way stayed inside. With other containers
// starting that does happen, so the call is made again. Who renames on purpose must hit every single try, all of which
// take microseconds; that costs him more than us, and init can be killed at any moment.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';

/** Ops in which every openat2 is made again on EAGAIN, unless its own policy speaks of that. */
export function retryRaces(ops: readonly Op[], section: string): Op[] {
  return ops.flatMap((op, i) => {
    if (op.op !== 'call' || op.call !== 'openat2' || op.onError?.goto?.['EAGAIN'] !== undefined) return [op];
    const again = `again-${section}-${i}`;
    return [
      o.label(again),
      { ...op, onError: { ...op.onError, goto: { ...op.onError?.goto, EAGAIN: again } } },
    ];
  });
}
