// The caller's side of a container with a monitor, the client: how it comes to be (client-part.ts), waits, takes signals
// (client-signal.ts) and input (client-input.ts), and leaves (client-leave.ts). The process that the caller waits for, the
// client, starts the host program as a child in a session of its own. `--detach`: it ends when the container runs. Otherwise
// it stays, hands on signals and input, and ends with the container, with its exit code; or before, by the detach keys or
// because it is killed: the container goes on.
//
//   caller's shell ── waits for ── client ── up: 4 bytes, when the container runs ── monitor (host program) ── init
//                                    │   <── client: breaks when the client is gone ──┘
//                                    └─ keys, stdin ──> master of the terminal, or the pipe to stdin
//
// The master is of the container's devpts; its number comes with `up`, and pidfd_getfd(2) copies it.

import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { INPUT, INPUT_CHUNK, planInput, planReadStdin } from './client-input.ts';
import {
  planEndOfMonitor,
  planGiveBack,
  planLeaveByKeys,
  planLeaveBySignal,
  planLeaveUnread,
  planNotBegun,
} from './client-leave.ts';
import { PART, writes } from './client-part.ts';
import { planSignal, SIGNALS, STAY } from './client-signal.ts';
import type { AttachInput, MonitorInput, PlanInput } from './input.ts';
import { pollEntry } from './monitor.ts';
import { planName } from './process.ts';
import { planShrinkParts } from './shrink.ts';
import { hasInputPipe } from './stdio.ts';
import { ioctl, isRelayed, rawTerminal } from './terminal.ts';
import { runtime } from './words.ts';

const [IN, OUT] = [0x1, 0x4]; // POLLIN, POLLOUT of <poll.h>
const SIGTTIN = 1n << 20n; // <signal.h>
const TERMINAL =
  'Keys go to the container as they are: its own terminal turns Ctrl-C into a signal, and echoes.';

export function clientBuffers(input: PlanInput): Buffer[] {
  const { monitor } = input;
  if (monitor === undefined) return [];
  const entries = [pollEntry(-1, IN), pollEntry(-1, IN), pollEntry(-1, OUT)];
  return [
    { name: 'client', size: 24, init: Uint8Array.from(entries.flat()) },
    { name: 'up', size: 8 },
    ...(monitor.attach === undefined ? [] : [{ name: 'typed', size: INPUT_CHUNK }]),
  ];
}

/** The client, from its start on. Its failures go to `client-failed`. */
export function planClient(input: PlanInput): Op[] {
  const { monitor } = input;
  if (monitor === undefined) return [];
  const { attach } = monitor;
  const ops = [
    o.label('client'),
    planName('tinyrun:client'),
    ...planCloseOthers(input),
    o.read(o.reg('up-r'), o.buf('up'), 4, { ...runtime('wait until the container runs', STAY), to: 'size' }),
    o.branch(
      'size',
      '!=',
      4,
      monitor.failure === undefined ? 'client-wait-end' : 'client-not-begun',
      runtime('or has it failed?', 'It has said why.'),
    ),
    ...(attach === undefined ? planSay(monitor) : planStay(input, monitor, attach)),
    ...planNotBegun(monitor),
    ...planEndOfMonitor(input),
  ];
  return [
    ...ops.map((op) => failTo(op, 'client-failed')),
    o.label('client-failed'),
    ...planGiveBack(input, 'failed'),
    o.exit(o.reg('exit'), { ...runtime('end', STAY), onError: { fail: 'client-failed' } }),
  ];
}

/** The op with another place for its failures. */
const failTo = (op: Op, fail: string): Op =>
  op.op === 'call' ? { ...op, onError: { ...op.onError, fail } } : op;

function planCloseOthers(input: PlanInput): Op[] {
  const { monitor, rootfs } = input;
  const idle = hasInputPipe(input) && !(monitor !== undefined && writes(monitor)) ? ['stdin-w'] : [];
  const pidfd = monitor?.attach === undefined ? [] : ['client-pidfd'];
  const names = ['up-w', 'client-r', ...pidfd, ...(hasInputPipe(input) ? ['stdin-r'] : []), ...idle];
  const why = 'It is the monitor that has this: so its end is seen.';
  return [
    ...names.map((name) => o.close(o.reg(name), runtime(`close ${name}`, why))),
    ...(rootfs.kind === 'overlay' && rootfs.own.kept
      ? [o.close(rootfs.own.lock, runtime("close the container's lock", why))]
      : []),
  ];
}

/** `--detach`. */
function planSay({ say }: MonitorInput): Op[] {
  return [
    ...(say === ''
      ? []
      : [
          o.write(1, say, new TextEncoder().encode(say).length, {
            ...runtime('say which container runs', 'It is its name from now on.'),
          }),
        ]),
    o.exit(0, runtime('leave the container to its monitor', PART)),
  ];
}

function planStay(input: PlanInput, monitor: MonitorInput, attach: AttachInput): Op[] {
  return [
    ...(isRelayed(input) ? planTakeMaster(input, monitor) : []),
    ...planShrinkParts(),
    ...planListen(input, monitor),
    o.label('client-wait'),
    o.call('ppoll', [o.buf('client'), 3, 0, 0, 8], {
      ...runtime('wait for a signal or for input', STAY),
      onError: { goto: { EINTR: 'client-wait' } },
    }),
    ...planSignal(attach),
    ...(writes(monitor) ? planInput(input, attach) : []),
    o.jump('client-wait', runtime('wait for more', STAY)),
    ...(writes(monitor) && isRelayed(input) ? planLeaveByKeys(input, attach) : []),
    ...planLeaveUnread(input),
    ...(attach.sigProxy ? [] : planLeaveBySignal(input)),
  ];
}

/** The terminal is made raw when somebody is there who gives it back: ourselves, and the monitor if we are killed. */
function planTakeMaster(input: PlanInput, monitor: MonitorInput): Op[] {
  const terminal = rawTerminal(input);
  const words = (what: string): Words => ({ what, why: TERMINAL, from: '/process/terminal' });
  return [
    ...(writes(monitor)
      ? [
          o.load(o.buf('up'), 4, 'number', words('take the number of the master')),
          o.call('pidfd_open', [o.reg('monitor'), 0], {
            ...words('open a pidfd of the monitor'),
            to: 'pidfd',
          }),
          o.call('pidfd_getfd', [o.reg('pidfd'), o.reg('number'), 0], {
            ...words('take the master'),
            to: 'sink',
          }),
        ]
      : []),
    ...(terminal === undefined
      ? []
      : [
          ioctl(terminal.fd, 'TCSETS', { bytes: terminal.raw }, words("make the caller's terminal raw")),
          o.set('raw', 1, words('remember that')),
        ]),
    o.write(o.reg('client-w'), 'k', 1, {
      ...words('let the monitor go on'),
      onError: { ignore: ['EPIPE'] },
    }),
  ];
}

/** Signals and input, as entries of what is waited for. */
function planListen(input: PlanInput, monitor: MonitorInput): Op[] {
  const stops = 'A job in the background may not read its terminal; in the foreground it goes on.';
  const bits = ~SIGTTIN & 0xffffffffffffffffn;
  return [
    o.call('signalfd4', [-1, { struct: 'sigset', fields: { bits } }, 8, o.flags('SFD_CLOEXEC')], {
      ...runtime('receive signals as something to read', STAY),
      to: 'signals',
    }),
    o.store('signals', o.buf('client', SIGNALS), 4, runtime('wait for signals', STAY)),
    ...(writes(monitor)
      ? [
          ...(isRelayed(input)
            ? []
            : [
                o.call('fcntl', [o.reg('stdin-w'), o.flags('F_DUPFD_CLOEXEC'), 3], {
                  ...runtime('write to the pipe to stdin', INPUT),
                  to: 'sink',
                }),
                o.close(o.reg('stdin-w'), runtime('close its other descriptor', INPUT)),
              ]),
          o.call('fcntl', [o.reg('sink'), o.flags('F_SETFL'), o.flags('O_NONBLOCK')], {
            ...runtime(
              'never wait in a write',
              'A program that does not read must not keep signals from it.',
            ),
          }),
          o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: { bits } }, 0, 8], {
            ...runtime('let SIGTTIN stop us', stops),
          }),
          ...planReadStdin(),
        ]
      : []),
  ];
}
