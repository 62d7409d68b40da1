// Where the host program parts: into the client, which the caller waits for (client.ts), and the monitor, which runs the container.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { MonitorInput, PlanInput } from './input.ts';
import { INPUT_FD, planLetGo, planUnattached } from './monitor.ts';
import { hasInputPipe, planInputPipe } from './stdio.ts';
import { isRelayed } from './terminal.ts';
import { runtime } from './words.ts';

export const PART = 'The container goes on without its caller: so its monitor is a process of its own.';

/** Whether this client writes to the container's stdin, or types at its terminal. */
export const writes = ({ openStdin, attach }: MonitorInput): boolean => openStdin && attach?.stdin === true;

/** Whether the monitor has a way to the container's stdin, for callers who attach later. */
const keepsInput = (input: PlanInput, monitor: MonitorInput): boolean =>
  monitor.openStdin && (isRelayed(input) || !(monitor.stdinOnce && writes(monitor)));

/** First of all: the process that goes on here is the monitor; the other one goes on at `client`. */
export function planPart(input: PlanInput): Op[] {
  const { monitor } = input;
  if (monitor === undefined) return [];
  const leave = { onError: { fail: 'leave' } };
  const words = (what: string) => ({ ...runtime(what, PART), ...leave });
  const once = monitor.stdinOnce && writes(monitor);
  return [
    ...o.pipe('up-r', 'up-w', words('make the pipe by which the client hears that the container runs')),
    ...o.pipe('client-r', 'client-w', words('make the pipe that breaks when the client is gone')),
    ...planOwnPidfd(monitor, words),
    ...planInputPipe(input, leave),
    o.clone3([], { ...words('start the monitor'), to: 'monitor' }),
    o.branch('monitor', '!=', 0, 'client', runtime('are we the client?', PART)),
    ...['up-r', 'client-w', ...(hasInputPipe(input) && once ? ['stdin-w'] : [])].map((fd) =>
      o.close(o.reg(fd), words(`close ${fd}`)),
    ),
    ...(keepsInput(input, monitor)
      ? [
          o.call('dup3', [0, INPUT_FD, o.flags('O_CLOEXEC')], {
            ...words(`take descriptor ${INPUT_FD} before anything else may`),
          }),
        ]
      : []),
    o.call('setsid', [], words('start a session')),
    o.call('chdir', ['/'], words('leave the working directory')),
  ];
}

/** So the monitor can tell the client that its reader is gone, and nobody else. */
function planOwnPidfd({ attach }: MonitorInput, words: (what: string) => o.Extra): Op[] {
  if (attach === undefined) return [];
  return [
    o.call('getpid', [], { ...words('which process are we?'), to: 'self' }),
    o.call('pidfd_open', [o.reg('self'), 0], {
      ...words('open a pidfd of ourselves, for the monitor'),
      to: 'client-pidfd',
    }),
  ];
}

/** When the container's program runs: lets the client know, who may go on or be gone by now. */
export function planUp(input: PlanInput, monitor: MonitorInput): Op[] {
  const up = 'The client waits for this: there is a container now.';
  const relayed = isRelayed(input);
  const { attach } = monitor;
  const stdin = relayed ? 'master' : 'stdin-w';
  return [
    ...(keepsInput(input, monitor)
      ? [
          o.call('dup3', [o.reg(stdin), INPUT_FD, o.flags('O_CLOEXEC')], {
            ...runtime(`have ${stdin} as descriptor ${INPUT_FD}, too`, 'There `attach` finds it.'),
          }),
        ]
      : []),
    ...(attach === undefined ? planLetGo(PART) : planUnattached(input, attach)),
    ...(relayed
      ? [o.store('master', o.buf('up'), 4, runtime('put the number of the master into the message', up))]
      : []),
    o.write(o.reg('up-w'), o.buf('up'), 4, {
      ...runtime('tell the client', up),
      onError: { ignore: ['EPIPE'] },
    }),
    o.close(o.reg('up-w'), runtime('close up-w', up)),
    ...(relayed && attach !== undefined
      ? [
          o.read(o.reg('client-r'), o.buf('byte'), 1, {
            ...runtime('wait until the client has taken the master', up),
          }),
        ]
      : []),
  ];
}
