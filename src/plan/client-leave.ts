// How the client ends: with the container, or before, which then goes on. The caller's terminal is given back whatever it is.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { STAY, UNREAD } from './client-signal.ts';
import type { AttachInput, MonitorInput, PlanInput } from './input.ts';
import { ioctl, rawTerminal } from './terminal.ts';
import { runtime } from './words.ts';

const SIGPIPE = 13; // <signal.h>
const DETACH = 'The container goes on, and may be attached to again.';

/** Gives the caller's terminal back, where it was made raw. */
export function planGiveBack(input: PlanInput, unique: string): Op[] {
  const terminal = rawTerminal(input);
  if (terminal === undefined) return [];
  const why = 'The caller finds the terminal as it was.';
  return [
    o.branch('raw', '<', 1, `client-cooked-${unique}`, runtime('is it raw?', why)),
    o.set('raw', 0, runtime('it is given back once', why)),
    ioctl(
      terminal.fd,
      'TCSETS',
      { bytes: terminal.saved },
      {
        ...runtime("give the caller's terminal its settings back", why),
        onError: { ignore: ['*'] }, // the terminal may be gone: then nobody misses its settings
      },
    ),
    o.label(`client-cooked-${unique}`),
  ];
}

const planSayLeft = (): Op =>
  o.write(o.reg('client-w'), 'd', 1, {
    ...runtime('tell the monitor that we let go', 'It need not give the terminal back for us.'),
    onError: { ignore: ['EPIPE'] },
  });

/** By the detach keys. */
export function planLeaveByKeys(input: PlanInput, { detachKeys }: AttachInput): Op[] {
  if (detachKeys.length === 0) return [];
  return [
    o.label('client-detach'),
    ...planGiveBack(input, 'keys'),
    planSayLeft(),
    o.exit(0, runtime('leave the container', DETACH)),
  ];
}

/** Nobody reads what the container prints. */
export function planLeaveUnread(input: PlanInput): Op[] {
  return [
    o.label('client-unread'),
    ...planGiveBack(input, 'unread'),
    planSayLeft(),
    o.exit(128 + SIGPIPE, runtime('end as one whom SIGPIPE has ended', UNREAD)),
  ];
}

/** By a signal that is for the client itself. */
export function planLeaveBySignal(input: PlanInput): Op[] {
  const why = 'Whoever sent the signal finds that it has ended us.';
  return [
    o.label('client-dies'),
    ...planGiveBack(input, 'signal'),
    planSayLeft(),
    o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: {} }, 0, 8], {
      ...runtime('unblock all signals', why),
    }),
    o.call('getpid', [], { ...runtime('which process are we?', why), to: 'self' }),
    o.kill(o.reg('self'), o.reg('signal'), runtime('send the signal to ourselves', why)),
    o.exit(0, runtime('end: it was one that ends nobody', why)),
  ];
}

/** `start` ends with 1, whatever stands in the way; the monitor has noted which of its codes that is. */
export function planNotBegun({ failure }: MonitorInput): Op[] {
  if (failure === undefined) return [];
  return [
    o.label('client-not-begun'),
    o.wait4(o.reg('monitor'), o.buf('status'), [], runtime('wait until it has tidied up', STAY)),
    o.exit(failure, runtime('end', 'Docker exits with 125, 126 and 127 for `run` alone.')),
  ];
}

/** The monitor's exit code is the container's, and so is ours. */
export function planEndOfMonitor(input: PlanInput): Op[] {
  return [
    o.label('client-wait-end'),
    o.wait4(o.reg('monitor'), o.buf('status'), [], runtime('wait for the end of the monitor', STAY)),
    ...(input.monitor?.attach === undefined ? [] : [o.label('client-ended')]),
    o.load(o.buf('status'), 4, 'status', runtime('take its wait status', STAY)),
    o.exitCode('status', 'exit', runtime('take the exit code', STAY)),
    ...planGiveBack(input, 'end'),
    o.exit(o.reg('exit'), runtime('end as the container has ended', STAY)),
  ];
}
