// The host program beside a running container: it sleeps in one system call until a signal comes, passes it on, and
// ends with the container. All signals are blocked, so none is lost and none interrupts a half-done step.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { runtime } from './words.ts';

const ALL = { struct: 'sigset', fields: { bits: 0xffffffffffffffffn } } as const;
const SIGSET_SIZE = 8;

export const signalBuffers = [
  // Not a constant of the program, most of which is dropped from memory before the waiting (shrink.ts).
  { name: 'sigset', size: SIGSET_SIZE, init: new Uint8Array(SIGSET_SIZE).fill(0xff) },
  { name: 'siginfo', size: 128 },
  { name: 'status', size: 8 },
];

/** Blocks every signal: in the host program until it waits for them, in the init program until it is set up. */
export function planBlockSignals(): Op[] {
  return [
    o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), ALL, 0, SIGSET_SIZE], {
      ...runtime(
        'block all signals',
        'A signal in the middle of the work would leave it half done; none is lost.',
      ),
    }),
    o.call('rt_sigaction', [o.flags('SIGCHLD'), { struct: 'kernel_sigaction', fields: {} }, 0, SIGSET_SIZE], {
      ...runtime(
        'give SIGCHLD its default meaning',
        'Were it ignored, the kernel would not keep exit statuses for us.',
      ),
    }),
  ];
}

/** What the container's process gets: nothing blocked, nothing ignored. */
export function planRestoreSignals(ignored: bigint): Op[] {
  const ops: Op[] = [];
  for (let signal = 1; signal <= 64; signal++) {
    if ((ignored & (1n << BigInt(signal - 1))) === 0n) continue;
    ops.push(
      o.call('rt_sigaction', [signal, { struct: 'kernel_sigaction', fields: {} }, 0, SIGSET_SIZE], {
        ...runtime(
          `give signal ${signal} its default meaning`,
          'Ignored signals survive execve: what our caller (or the JavaScript engine) ignores must not leak in.',
        ),
      }),
    );
  }
  ops.push(
    o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: {} }, 0, SIGSET_SIZE], {
      ...runtime('unblock all signals', 'The mask survives execve, and the container wants its signals.'),
    }),
  );
  return ops;
}

/** Forwards signals to `pid` until it has ended; its wait status is then in `status`. */
export function planWaitAndForward(): Op[] {
  const why = 'Our own work is to sleep until the container ends, and to hand on what is sent to us.';
  return [
    o.label('wait'),
    o.call('rt_sigtimedwait', [o.buf('sigset'), o.buf('siginfo'), 0, SIGSET_SIZE], {
      ...runtime('wait for a signal', why),
      to: 'signal',
      onError: { goto: { EINTR: 'wait' } },
    }),
    o.branch('signal', '==', { flags: ['SIGCHLD'] }, 'reap', runtime('is it about a child?', why)),
    o.kill(o.reg('pid'), o.reg('signal'), {
      ...runtime('pass the signal on', 'Ctrl-C, docker stop and the like mean the container, not us.'),
      onError: { ignore: ['ESRCH'] },
    }),
    o.jump('wait', runtime('wait for more', why)),
    o.label('reap'),
    o.wait4(o.reg('pid'), o.buf('status'), ['WNOHANG'], {
      ...runtime('has the container ended?', 'SIGCHLD also comes when a child stops or continues.'),
      to: 'reaped',
    }),
    o.branch('reaped', '==', 0, 'wait', runtime('not yet', why)),
  ];
}
