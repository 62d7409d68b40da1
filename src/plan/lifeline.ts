// The end of the host program, as init or a process of `exec` sees it: the lifeline is a pipe that breaks then. And what those tell
// it by another pipe. handshake.ts has the whole of it.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { runtime } from './words.ts';

export const LIFE =
  'Whoever kills tinyrun with SIGKILL gets rid of the container too: nobody else would look after it.';

/** What a process says, as a number, when all is set up. */
export const READY = 'r'.charCodeAt(0);

export const handshakeBuffers = [
  { name: 'fds', size: 8 },
  { name: 'byte', size: 8 },
  { name: 'pollfd', size: 8 },
];

/** Init program: die when the host program dies; again behind the change of user, which clears it (prctl(2)). */
export function planDeathWatch(unique: string): Op[] {
  const alive = `alive-${unique}`;
  return [
    o.prctl('PR_SET_PDEATHSIG', [o.flags('SIGKILL')], runtime('die with the host program', LIFE)),
    o.store('life-r', o.buf('pollfd'), 4, runtime('put the lifeline into the poll list', LIFE)),
    o.call('ppoll', [o.buf('pollfd'), 1, { struct: 'timespec', fields: {} }, 0, 0], {
      ...runtime('is the host program alive?', 'It may have died just before the call above.'),
      to: 'dead',
    }),
    o.branch('dead', '==', 0, alive, runtime('it is', LIFE)),
    o.jump('end-init', runtime('end: the host program is gone', LIFE)),
    o.label(alive),
  ];
}
