// The client's signals: most mean the container, one says that the monitor has ended, and one that nobody reads what is printed.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { AttachInput } from './input.ts';
import { runtime } from './words.ts';

/** The descriptor of signals in the buffer `client`, behind which is the input (client-input.ts). */
export const SIGNALS = 0;
export const STAY =
  'We sleep until the container ends, there is something to write to it, or a signal comes.';
/** Why a client ends when nobody reads what it prints. */
export const UNREAD = 'As any program that prints: the container goes on, and its log with it.';
const IN = 0x1; // POLLIN of <poll.h>
const QUEUED = 0xffffffff; // SI_QUEUE of sigaction(2), which the kernel itself never says of a pipe

/** What a signal does; goes to `client-wait`, `client-unread`, `client-dies` or `client-ended`, or on where there is none. */
export function planSignal({ sigProxy }: AttachInput): Op[] {
  const pass = 'It means the container, not us.';
  return [
    o.load(o.buf('client', SIGNALS + 6), 2, 'events', runtime('what about signals?', STAY)),
    o.branch('events', '&', IN, 'client-signal', runtime('there is one', STAY)),
    o.jump('client-no-signal', runtime('there is none', STAY)),
    o.label('client-signal'),
    o.read(o.reg('signals'), o.buf('siginfo'), 128, runtime('take the signal', STAY)),
    o.load(o.buf('siginfo'), 4, 'signal', runtime('which one?', STAY)),
    o.branch('signal', '==', o.flags('SIGCHLD'), 'client-child', runtime('is it about the monitor?', STAY)),
    o.branch('signal', '==', o.flags('SIGPIPE'), 'client-pipe', runtime('is it about a pipe?', UNREAD)),
    ...(sigProxy
      ? []
      : [
          o.branch('signal', '==', o.flags('SIGWINCH'), 'client-pass', runtime('is it the window?', pass)),
          o.jump('client-dies', runtime('it is for us', 'So --sig-proxy=false says.')),
          o.label('client-pass'),
        ]),
    o.kill(o.reg('monitor'), o.reg('signal'), {
      ...runtime('pass the signal on', pass),
      onError: { ignore: ['ESRCH'] },
    }),
    o.jump('client-wait', runtime('wait for more', STAY)),
    o.label('client-pipe'),
    o.load(o.buf('siginfo', 8), 4, 'code', runtime('who says so?', UNREAD)), // ssi_code
    o.branch('code', '==', QUEUED, 'client-unread', runtime('is it the monitor?', UNREAD)),
    o.jump('client-wait', runtime('it is the kernel: the container reads no input', STAY)),
    o.label('client-child'),
    o.wait4(o.reg('monitor'), o.buf('status'), ['WNOHANG'], {
      ...runtime('has the monitor ended?', 'SIGCHLD also comes when it stops or continues.'),
      to: 'reaped',
    }),
    o.branch('reaped', '!=', 0, 'client-ended', runtime('it has', STAY)),
    o.jump('client-wait', runtime('not yet', STAY)),
    o.label('client-no-signal'),
  ];
}
