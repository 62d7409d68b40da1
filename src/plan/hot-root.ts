// The root directory of a container that runs, handed to tinyrun: `volume attach` fills volumes from it, `volume detach` looks
// for what it is to take away. Only in the container's mount namespace a mount can be copied, and a path resolved as it is
// seen there, whatever root init has by now (hot-stage.ts).

import type { Op, Program } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { type HotInput, planStaged } from './hot-stage.ts';
import { planSendFd, rightsBuffer } from './sockets.ts';
import { runtime } from './words.ts';

/**
 * Plans that the root is handed over. Pure.
 * @param alone the root mount, without what is mounted in it: a copy, attached nowhere
 * @param socket a descriptor, to which it is sent
 */
export function planHotRoot(input: HotInput, alone: boolean, socket: number): Program {
  const words = (what: string) =>
    runtime(what, "What is in it is looked at by who can loop, and is not in the container's namespaces.");
  const root = alone ? 'tree' : 'root';
  const copy: Op[] = alone
    ? [o.openTree(o.reg('root'), '', false, { ...words('copy the root mount alone'), to: root })]
    : [];
  return planStaged(
    input,
    [],
    [
      ...copy,
      o.set('socket', socket, words('remember the socket')),
      ...planSendFd('socket', root, 'root', words('hand the root over')),
    ],
    [rightsBuffer()],
  );
}
