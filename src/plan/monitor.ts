// The host program beside a container with a record: it keeps what the container prints (output-log.ts), hands it to a
// caller who stays (client.ts), passes signals on, and notes the end (moments.ts). All that it waits for is in one ppoll(2).
//
//   init's stdout, stderr, or master of the terminal ──> record in the log ──> the caller's stdout, stderr
//   signals of the client ─────────────────────────────> init
//   the client's end ──────────────────────────────────> the caller's streams are let go
//
// What is in the pipes when init has ended is still kept. In a pid namespace of its own all others have ended by then;
// elsewhere a process that init leaves behind may go on, but what it prints then is nobody's.

import type { Buffer, Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { AttachInput, MonitorInput, PlanInput } from './input.ts';
import { CHUNK, planKeep, planNoteLoss, RECORD_BYTES, recordBuffers } from './output-log.ts';
import { ioctl, isRelayed, rawTerminal, words as terminalWords } from './terminal.ts';
import { runtime } from './words.ts';

const [IN, OUT, ANY_END] = [0x1, 0x4, 0x38]; // POLLIN, POLLOUT; POLLERR, POLLHUP, POLLNVAL of <poll.h>
const POLLFD = 8;
/** The places in the list of what is waited for. */
const WAITED = ['signals', 'stdout', 'stderr', 'client'] as const;
type Waited = (typeof WAITED)[number];
const placeOf = (name: Waited): number => POLLFD * WAITED.indexOf(name);
/** How many chunks are still read when init has ended: more than pipes hold, even those made larger. */
const LAST_CHUNKS = 1024;

/** The descriptor of the monitor that leads to the container's stdin, or is the master of its terminal: for `attach`. */
export const INPUT_FD = 100;

const KEEP = 'We sleep until the container prints something, somebody sends a signal, or it ends.';
const SHOW = 'The caller sees what the container prints.';
const LEAVE = 'The caller is gone, or has let go: the container goes on without him.';

/** A siginfo_t of sigaction(2): signal SIGPIPE, code SI_QUEUE, by which the client tells it from the kernel's own. */
const UNREAD = new Uint8Array(new Int32Array([13, 0, -1, ...new Array<number>(29).fill(0)]).buffer);

/** One entry of the list: `fd` -1 is passed over. */
export const pollEntry = (fd: number, events: number): number[] => [
  ...new Uint8Array(new Int32Array([fd]).buffer),
  events,
  0,
  0,
  0,
];

export function monitorBuffers({ monitor }: Pick<PlanInput, 'monitor'>): Buffer[] {
  if (monitor === undefined) return [];
  return [
    ...recordBuffers,
    { name: 'waited', size: POLLFD * WAITED.length, init: list(WAITED.map(() => pollEntry(-1, IN))) },
    { name: 'room', size: 2 * POLLFD, init: list([pollEntry(-1, OUT), pollEntry(-1, 0)]) },
  ];
}
const list = (entries: readonly number[][]): Uint8Array => Uint8Array.from(entries.flat());

/** Host program, when the container's program runs: waits until it has ended, with its wait status in `status`. */
export function planMonitor(input: PlanInput, monitor: MonitorInput): Op[] {
  return [...planStart(input, monitor), ...planDispatch(input, monitor), ...planReap(), ...planLast(monitor)];
}

const wait = (name: Waited, register: string, why: string): Op =>
  o.store(register, o.buf('waited', placeOf(name)), 4, runtime(`wait for ${name}`, why));
const forget = (name: Waited, why: string): Op[] => [
  o.set('none', -1, runtime(`there is no more of ${name}`, why)),
  o.store('none', o.buf('waited', placeOf(name)), 4, runtime(`stop waiting for ${name}`, why)),
];

function planStart(input: PlanInput, { attach }: MonitorInput): Op[] {
  const relayed = isRelayed(input);
  return [
    o.call('signalfd4', [-1, { struct: 'sigset', fields: { bits: ALL } }, 8, o.flags('SFD_CLOEXEC')], {
      ...runtime('receive signals as something to read', KEEP),
      to: 'signals',
    }),
    wait('signals', 'signals', KEEP),
    wait('stdout', relayed ? 'master' : 'stdout-r', KEEP),
    ...(relayed ? [] : [wait('stderr', 'stderr-r', KEEP)]),
    ...(attach === undefined
      ? []
      : [wait('client', 'client-r', KEEP), o.set('shown', 1, runtime('the caller looks on', SHOW))]),
  ];
}

const ALL = 0xffffffffffffffffn;

function planDispatch(input: PlanInput, monitor: MonitorInput): Op[] {
  const relayed = isRelayed(input);
  return [
    o.label('wait'),
    o.call('ppoll', [o.buf('waited'), WAITED.length, 0, 0, 8], {
      ...runtime('wait for output or a signal', KEEP),
      onError: { goto: { EINTR: 'wait' } },
    }),
    o.label('ready'),
    ...planRead('stdout', 1, relayed ? 'master' : 'stdout-r'),
    ...(relayed ? [] : planRead('stderr', 2, 'stderr-r')),
    o.branch('draining', '==', 1, 'drain', runtime('has the container ended?', KEEP)),
    ...planSignals(input, monitor),
    ...(monitor.attach === undefined ? [] : planClientEnd(input)),
    o.jump('wait', runtime('wait for more', KEEP)),
    o.label('copy'),
    ...planKeep(monitor),
    ...(monitor.attach === undefined ? [] : planShow()),
    ...(relayed ? [] : [o.branch('stream', '==', 2, 'seen-stderr', runtime('was it stderr?', KEEP))]),
    o.jump('seen-stdout', runtime('look at the rest', KEEP)),
  ];
}

/** Looks at one stream: what there is goes to `copy`, which comes back behind this. */
function planRead(name: 'stdout' | 'stderr', number: number, register: string): Op[] {
  const seen = `seen-${name}`;
  return [
    o.load(o.buf('waited', placeOf(name) + 6), 2, 'events', runtime(`what about ${name}?`, KEEP)),
    o.branch('events', '&', IN, `read-${name}`, runtime('there is something', KEEP)),
    o.branch('events', '&', ANY_END, `end-${name}`, runtime('is it the end?', KEEP)),
    o.jump(seen, runtime('nothing', KEEP)),
    o.label(`read-${name}`),
    o.read(o.reg(register), RECORD_BYTES, CHUNK, {
      ...runtime(`read ${name}`, KEEP),
      to: 'size',
      onError: { goto: { EAGAIN: seen, EINTR: seen, EIO: `end-${name}` } },
    }),
    o.set('stream', number, runtime(`it is of ${name}`, KEEP)),
    o.branch('size', '!=', 0, 'copy', runtime('is there anything?', KEEP)),
    o.label(`end-${name}`),
    ...forget(name, 'All who could print there have ended, or have closed it.'),
    o.label(seen),
  ];
}

/** Writes the record's bytes to the caller's stream of the same number; lets go of one who no longer reads. */
function planShow(): Op[] {
  return [
    o.branch('shown', '<', 1, 'shown', runtime('is the caller still there?', SHOW)),
    o.store('stream', o.buf('room'), 4, runtime('wait for room in that stream', SHOW)),
    o.store('client-r', o.buf('room', POLLFD), 4, runtime('or for the end of the client', SHOW)),
    o.label('show'),
    o.call('ppoll', [o.buf('room'), 2, 0, 0, 8], {
      ...runtime('wait until the caller takes more', SHOW),
      onError: { goto: { EINTR: 'show' } },
    }),
    o.load(o.buf('room', POLLFD + 6), 2, 'events', runtime('what about the client?', SHOW)),
    o.branch('events', '&', ANY_END, 'shown', runtime('is it gone?', LEAVE)),
    o.write(o.reg('stream'), RECORD_BYTES, o.reg('size'), {
      ...runtime('write it to the caller', SHOW),
      // A caller that no longer reads must not end the container: what is printed is in the log alone.
      onError: { goto: { EAGAIN: 'show', EINTR: 'show', EPIPE: 'unread', '*': 'shown' } },
    }),
    o.jump('shown', runtime('it is shown', SHOW)),
    o.label('unread'),
    o.call('pidfd_send_signal', [o.reg('client-pidfd'), o.flags('SIGPIPE'), { bytes: UNREAD }, 0], {
      ...runtime('tell the client that nobody reads any more', LEAVE),
      onError: { ignore: ['ESRCH'] },
    }),
    o.label('shown'),
  ];
}

function planSignals(input: PlanInput, { attach }: MonitorInput): Op[] {
  const resize = attach === undefined ? [] : planResize(input);
  const child = o.flags('SIGCHLD');
  return [
    o.load(o.buf('waited', placeOf('signals') + 6), 2, 'events', runtime('what about signals?', KEEP)),
    o.branch('events', '&', IN, 'signal', runtime('there is one', KEEP)),
    o.jump('no-signal', runtime('there is none', KEEP)),
    o.label('signal'),
    o.read(o.reg('signals'), o.buf('siginfo'), 128, runtime('take the signal', KEEP)),
    o.load(o.buf('siginfo'), 4, 'signal', runtime('which one?', KEEP)),
    o.branch('signal', '==', child, 'reap', runtime('is it about a child?', KEEP)),
    o.branch('signal', '==', o.flags('SIGPIPE'), 'no-signal', runtime('is it about the caller?', LEAVE)),
    ...(resize.length === 0
      ? []
      : [
          o.branch(
            'signal',
            '==',
            o.flags('SIGWINCH'),
            'resize',
            terminalWords("has the caller's window changed?", KEEP),
          ),
        ]),
    o.kill(o.reg('pid'), o.reg('signal'), {
      ...runtime('pass the signal on', 'It means the container, not us.'),
      onError: { ignore: ['ESRCH'] },
    }),
    ...(resize.length === 0
      ? []
      : [o.jump('no-signal', runtime('look at the rest', KEEP)), o.label('resize'), ...resize]),
    o.label('no-signal'),
  ];
}

function planResize(input: PlanInput): Op[] {
  const { terminal } = input;
  if (!isRelayed(input) || terminal?.fd === undefined) return [];
  return [
    ioctl(terminal.fd, 'TIOCGWINSZ', o.buf('winsize'), {
      ...terminalWords('ask for the new window size', 'The window of the caller has changed.'),
      onError: { goto: { '*': 'no-signal' } }, // he is gone, or his terminal is
    }),
    ioctl(
      o.reg('master'),
      'TIOCSWINSZ',
      o.buf('winsize'),
      terminalWords('set it', 'The kernel tells the programs in the container by SIGWINCH.'),
    ),
  ];
}

/** A client that is gone: it has said so, or was killed, and cannot give its terminal back any more. */
function planClientEnd(input: PlanInput): Op[] {
  const terminal = rawTerminal(input);
  return [
    o.load(o.buf('waited', placeOf('client') + 6), 2, 'events', runtime('what about the client?', KEEP)),
    o.branch('events', '&', IN | ANY_END, 'client-gone', runtime('it is gone', LEAVE)),
    o.jump('client-stays', runtime('it is there', KEEP)),
    o.label('client-gone'),
    ...(terminal === undefined
      ? []
      : [
          o.read(o.reg('client-r'), o.buf('byte'), 1, {
            ...terminalWords('has it let go?', LEAVE),
            to: 'let-go',
          }),
          o.branch('let-go', '==', 1, 'given-back', terminalWords('it has given its terminal back', LEAVE)),
          ioctl(
            terminal.fd,
            'TCSETS',
            { bytes: terminal.saved },
            {
              ...terminalWords("give the caller's terminal its settings back", 'The client was killed.'),
              onError: { ignore: ['*'] }, // gone as well
            },
          ),
          o.label('given-back'),
        ]),
    ...forget('client', LEAVE),
    o.set('shown', 0, runtime('show nothing more', LEAVE)),
    ...planLetGo(LEAVE),
    o.label('client-stays'),
  ];
}

/** Host program: /dev/null in place of the caller's streams, which he may wait for the end of. */
export function planLetGo(why: string, streams: readonly number[] = [0, 1, 2]): Op[] {
  return [
    o.openat(o.AT_FDCWD, '/dev/null', ['O_RDWR'], { ...runtime('open /dev/null', why), to: 'null' }),
    ...streams.map((fd) =>
      o.call('dup3', [o.reg('null'), fd, 0], runtime(`let go of the caller's descriptor ${fd}`, why)),
    ),
    o.close(o.reg('null'), runtime('close /dev/null', why)),
  ];
}

/** Host program, before the loop: the caller's streams that are not written to; his terminal is asked for its size. */
export function planUnattached({ terminal }: PlanInput, { stdout, stderr }: AttachInput): Op[] {
  const unused = [true, !stdout, !stderr];
  const streams = [0, 1, 2].filter((fd) => unused[fd] && fd !== terminal?.fd);
  return streams.length === 0
    ? []
    : planLetGo('The caller may wait for its end, and we do not use it.', streams);
}

function planReap(): Op[] {
  const last = 'The last words of the container are still in the pipes.';
  return [
    o.label('reap'),
    o.wait4(o.reg('pid'), o.buf('status'), ['WNOHANG'], {
      ...runtime('has the container ended?', 'SIGCHLD also comes when a child stops or continues.'),
      to: 'reaped',
    }),
    o.branch('reaped', '==', 0, 'wait', runtime('not yet', KEEP)),
    o.set('draining', 1, runtime('from now on, only what is there already', last)),
    o.call('eventfd2', [LAST_CHUNKS, o.flags('EFD_SEMAPHORE', 'EFD_NONBLOCK', 'EFD_CLOEXEC')], {
      ...runtime('make a counter', 'Somebody outside who goes on printing must not hold up the end.'),
      to: 'chunks',
    }),
    o.label('drain'),
    o.read(o.reg('chunks'), o.buf('byte'), 8, {
      ...runtime('is it enough?', 'More than this was never in the pipes.'),
      onError: { goto: { EAGAIN: 'drained' } },
    }),
    o.call('ppoll', [o.buf('waited', placeOf('stdout')), 2, { struct: 'timespec', fields: {} }, 0, 8], {
      ...runtime('is there more output?', last),
      to: 'more',
      onError: { goto: { EINTR: 'drain' } },
    }),
    o.branch('more', '!=', 0, 'ready', runtime('there is', last)),
    o.label('drained'),
  ];
}

function planLast({ log }: MonitorInput): Op[] {
  return log === undefined ? [] : [...planNoteLoss('end-full'), o.label('end-full')];
}
