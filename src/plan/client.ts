// The caller's side of a container with a monitor. The process that the caller waits for, the client, starts the host
// program as a child in a session of its own. `--detach`: it ends when the container runs. Otherwise it stays, hands on
// signals and input, and ends with the container, with its exit code; or before, by the detach keys or because it is killed:
// the container goes on.
//
//   caller's shell ── waits for ── client ── up: 4 bytes, when the container runs ── monitor (host program) ── init
//                                    │   <── client: breaks when the client is gone ──┘
//                                    └─ keys, stdin ──> master of the terminal, or the pipe to stdin
//
// The master is of the container's devpts; its number comes with `up`, and pidfd_getfd(2) copies it.

import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { INPUT, INPUT_CHUNK, planInput, planReadStdin } from './client-input.ts';
import type { AttachInput, MonitorInput, PlanInput } from './input.ts';
import { INPUT_FD, planLetGo, planUnattached, pollEntry } from './monitor.ts';
import { planName } from './process.ts';
import { planShrinkParts } from './shrink.ts';
import { hasInputPipe, planInputPipe } from './stdio.ts';
import { ioctl, isRelayed, rawTerminal } from './terminal.ts';
import { runtime } from './words.ts';

const [IN, OUT] = [0x1, 0x4]; // POLLIN, POLLOUT of <poll.h>
const SIGNALS = 0; // its place in buffer `client`, behind which is the input (client-input.ts)

const PART = 'The container goes on without its caller: so its monitor is a process of its own.';
const STAY = 'We sleep until the container ends, there is something to write to it, or a signal comes.';
const TERMINAL =
  'Keys go to the container as they are: its own terminal turns Ctrl-C into a signal, and echoes.';
const UNREAD = 'As any program that prints: the container goes on, and its log with it.';
const QUEUED = 0xffffffff; // SI_QUEUE of sigaction(2), which the kernel itself never says of a pipe
const DETACH = 'The container goes on, and may be attached to again.';

/** Whether this client writes to the container's stdin, or types at its terminal. */
const writes = ({ openStdin, attach }: MonitorInput): boolean => openStdin && attach?.stdin === true;

/** Whether the monitor has a way to the container's stdin, for callers who attach later. */
const keepsInput = (input: PlanInput, monitor: MonitorInput): boolean =>
  monitor.openStdin && (isRelayed(input) || !(monitor.stdinOnce && writes(monitor)));

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

// Host program

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

// Client

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
const SIGTTIN = 1n << 20n; // <signal.h>
const SIGPIPE = 13;

function planSignal({ sigProxy }: AttachInput): Op[] {
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

/** Gives the caller's terminal back, where it was made raw. */
function planGiveBack(input: PlanInput, unique: string): Op[] {
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

function planLeaveByKeys(input: PlanInput, { detachKeys }: AttachInput): Op[] {
  if (detachKeys.length === 0) return [];
  return [
    o.label('client-detach'),
    ...planGiveBack(input, 'keys'),
    planSayLeft(),
    o.exit(0, runtime('leave the container', DETACH)),
  ];
}

function planLeaveUnread(input: PlanInput): Op[] {
  return [
    o.label('client-unread'),
    ...planGiveBack(input, 'unread'),
    planSayLeft(),
    o.exit(128 + SIGPIPE, runtime('end as one whom SIGPIPE has ended', UNREAD)),
  ];
}

function planLeaveBySignal(input: PlanInput): Op[] {
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
function planNotBegun({ failure }: MonitorInput): Op[] {
  if (failure === undefined) return [];
  return [
    o.label('client-not-begun'),
    o.wait4(o.reg('monitor'), o.buf('status'), [], runtime('wait until it has tidied up', STAY)),
    o.exit(failure, runtime('end', 'Docker exits with 125, 126 and 127 for `run` alone.')),
  ];
}

/** The monitor's exit code is the container's, and so is ours. */
function planEndOfMonitor(input: PlanInput): Op[] {
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
