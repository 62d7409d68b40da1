// How a host program gives up: where its failures come in.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { runtime } from './words.ts';

/** Host program: where its failures come in. What it has started ends; then it goes on below. */
export function planUndo(whose: string): Op[] {
  const kill = `A failure half-way must leave nothing: ${whose} and all it has set up go with it.`;
  return [
    o.label('undo'),
    o.branch('pid', '<', 1, 'give-back', runtime(`is there a process?`, kill)),
    o.kill(o.reg('pid'), o.flags('SIGKILL'), {
      ...runtime(`kill ${whose}`, kill),
      onError: { ignore: ['ESRCH'], fail: 'give-back' },
    }),
    o.wait4(o.reg('pid'), o.buf('status'), [], {
      ...runtime('wait for its end', kill),
      onError: { ignore: ['ECHILD'], fail: 'give-back' },
    }),
  ];
}
