// The relay between the caller's terminal and the container's (terminal.ts draws it), in the host program and a child of
// it, so that neither direction can hold up the other: the host program relays the output and all signals, the child
// the keys. That child also gives the caller's terminal back if the host program is killed. poll(2), signalfd(2).

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { ProcessInput } from './input.ts';
import { ioctl, isRelayed, words } from './terminal.ts';

const [IN, HUNG_UP] = [0x1, 0x38]; // POLLIN; POLLERR, POLLHUP, POLLNVAL of <poll.h>
const CHUNK = 4096; // bytes: at most this much is written at once, which a pipe takes whole or not at all (PIPE_BUF)
const RAW = 'Keys go to the container as they are: its own terminal turns Ctrl-C into a signal, and echoes.';

/** pollfd entries as they start: both wait for something to read. */
const polls = (): Uint8Array => Uint8Array.from([0, 0, 0, 0, IN, 0, 0, 0, 0, 0, 0, 0, IN, 0, 0, 0]);

export function relayBuffers(input: ProcessInput): { name: string; size: number; init?: Uint8Array }[] {
  if (!isRelayed(input)) return [];
  return [
    { name: 'ttynumber', size: 8 },
    { name: 'winsize', size: 8 },
    ...(readsKeys(input)
      ? [
          { name: 'relay', size: 16, init: polls() },
          { name: 'keys', size: 16, init: polls() },
          { name: 'outpoll', size: 8, init: Uint8Array.from([1, 0, 0, 0, 4, 0, 0, 0]) }, // fd 1, POLLOUT
          { name: 'chunk', size: CHUNK },
        ]
      : []),
  ];
}

/** Whether a child of the host program reads keys; of a container with a monitor the client does (client.ts). */
const readsKeys = (input: ProcessInput): boolean => isRelayed(input) && input.monitor === undefined;

/** Behind clone3: takes the master; with it begins the relay, unless there is a monitor for that. */
export function planTakeTerminal(input: ProcessInput): Op[] {
  const hand =
    "Init has opened the terminal in the container's devpts; pidfd_getfd copies its descriptor to us.";
  return [
    o.close(o.reg('tty-init'), words('close the end of init', 'So that the death of init is seen.')),
    o.read(o.reg('tty-host'), o.buf('ttynumber'), 4, {
      ...words('wait for the number of the master', hand),
      to: 'size',
    }),
    o.branch('size', '!=', 4, 'no-terminal', words('has init failed?', 'It has said why.')),
    o.load(o.buf('ttynumber'), 4, 'ttynumber', words('take it', hand)),
    o.call('pidfd_open', [o.reg('pid'), 0], { ...words('open a pidfd of init', hand), to: 'pidfd' }),
    o.call('pidfd_getfd', [o.reg('pidfd'), o.reg('ttynumber'), 0], {
      ...words('take the master', hand),
      to: 'master',
    }),
    ioctl(o.reg('master'), 'TIOCGPTPEER', o.flags('O_RDWR', 'O_NOCTTY', 'O_CLOEXEC'), {
      ...words(
        'keep the slave open',
        'Programs may close their terminal and open it again: between the two, the master would hang up.',
      ),
      to: 'held',
    }),
    o.write(o.reg('tty-host'), 'k', 1, words('let init go on', hand)),
    ...(readsKeys(input) ? planStartKeys(input) : []),
    o.label('no-terminal'),
  ];
}

/** Starts the child that reads keys, and makes the caller's terminal raw. */
function planStartKeys({ terminal }: ProcessInput): Op[] {
  return [
    o.clone3([], {
      ...words('start the process that reads keys', 'Neither direction may hold up the other.'),
      to: 'keys',
    }),
    o.branch('keys', '==', 0, 'keys', words('are we it?', 'clone3 returns twice.')),
    o.close(o.reg('life-r'), words('close life-r', 'Others watch our end by it.')),
    // Behind the start of the one that would give it back, should we be killed.
    ...(terminal?.fd === undefined
      ? []
      : [
          ioctl(terminal.fd, 'TCSETS', { bytes: terminal.raw }, words("make the caller's terminal raw", RAW)),
        ]),
  ];
}

/** Instead of planWaitAndForward: output, signals, window size, until init has ended. */
export function planRelay(input: ProcessInput): Op[] {
  const { terminal } = input;
  const relay = 'We sleep until there is output, or a signal.';
  const out = "What the container prints goes to the caller's stdout.";
  const resize =
    terminal?.fd === undefined
      ? []
      : [
          ioctl(
            terminal.fd,
            'TIOCGWINSZ',
            o.buf('winsize'),
            words('ask for the new window size', 'The window of the caller has changed.'),
          ),
          ioctl(o.reg('master'), 'TIOCSWINSZ', o.buf('winsize'), {
            ...words('set it', 'The kernel tells the programs in the container by SIGWINCH.'),
            onError: { ignore: ['EBADF'] },
          }),
        ];
  return [
    o.call(
      'signalfd4',
      [-1, { struct: 'sigset', fields: { bits: 0xffffffffffffffffn } }, 8, o.flags('SFD_CLOEXEC')],
      {
        ...words('receive signals as something to read', relay),
        to: 'signals',
      },
    ),
    o.store('signals', o.buf('relay'), 4, words('wait for signals', relay)),
    o.store('master', o.buf('relay', 8), 4, words('wait for output', relay)),
    o.label('wait'),
    o.call('ppoll', [o.buf('relay'), 2, 0, 0, 8], {
      ...words('wait for output or a signal', relay),
      onError: { goto: { EINTR: 'wait' } },
    }),
    o.load(o.buf('relay', 14), 2, 'events', words('what about the terminal?', relay)),
    o.branch('events', '&', IN, 'output', words('it has printed', out)),
    o.branch(
      'events',
      '&',
      HUNG_UP,
      'hung-up',
      words('it has hung up', 'A program in the container has asked for that: vhangup(2).'),
    ),
    o.label('signals'),
    o.load(o.buf('relay', 6), 2, 'events', words('what about signals?', relay)),
    o.branch('events', '&', IN, 'signal', words('there is one', relay)),
    o.jump('wait', words('wait for more', relay)),

    o.label('output'),
    ...planCopyOutput('signals', 'hung-up', 'wait'),
    o.jump('signals', words('look for signals as well', relay)),

    o.label('hung-up'),
    o.set('none', -1, words('forget the terminal', 'There will be no more output.')),
    o.store('none', o.buf('relay', 8), 4, words('stop waiting for output', 'There will be none.')),
    o.jump('signals', words('look for signals as well', relay)),

    o.label('signal'),
    o.read(o.reg('signals'), o.buf('siginfo'), 128, words('take the signal', relay)),
    o.load(o.buf('siginfo'), 4, 'signal', words('which one?', relay)),
    o.branch('signal', '==', { flags: ['SIGCHLD'] }, 'reap', words('is it about a child?', relay)),
    o.branch(
      'signal',
      '==',
      { flags: ['SIGWINCH'] },
      'resize',
      words("has the caller's window changed?", relay),
    ),
    o.kill(o.reg('pid'), o.reg('signal'), {
      ...words('pass the signal on', 'It means the container, not us.'),
      onError: { ignore: ['ESRCH'] },
    }),
    o.jump('wait', words('wait for more', relay)),
    o.label('resize'),
    ...resize,
    o.jump('wait', words('wait for more', relay)),

    o.label('reap'),
    o.wait4(o.reg('pid'), o.buf('status'), ['WNOHANG'], {
      ...words('has the container ended?', relay),
      to: 'reaped',
    }),
    o.branch('reaped', '==', 0, 'wait', words('not yet', relay)),
    ...planLastOutput(),
  ];
}

/** Reads once from the master and writes it out; the labels say where to go when there is nothing, no end, no reader. */
function planCopyOutput(nothing: string, ended: string, dropped: string): Op[] {
  const out = "What the container prints goes to the caller's stdout.";
  const write = `write-${nothing}`;
  const full = `full-${nothing}`;
  const written = `written-${nothing}`;
  return [
    o.read(o.reg('master'), o.buf('chunk'), CHUNK, {
      ...words('read the output', out),
      to: 'size',
      onError: { goto: { EIO: ended, EAGAIN: nothing, EINTR: nothing } },
    }),
    o.branch('size', '==', 0, ended, words('is it the end?', out)),
    o.label(write),
    o.write(1, o.buf('chunk'), o.reg('size'), {
      ...words('write it out', out),
      // A caller that no longer reads must not end the container: what is printed is dropped.
      onError: { goto: { EAGAIN: full, EINTR: write, '*': dropped } },
    }),
    o.jump(written, words('written', out)),
    o.label(full),
    o.call('ppoll', [o.buf('outpoll'), 1, 0, 0, 8], {
      ...words('wait until stdout takes more', out),
      onError: { ignore: ['EINTR'] },
    }),
    o.jump(write, words('try again', out)),
    o.label(written),
  ];
}

/** What was printed just before the end still sits in the terminal. */
function planLastOutput(): Op[] {
  const why = 'The last words of the container are still in the terminal.';
  return [
    o.label('last'),
    o.call('ppoll', [o.buf('relay', 8), 1, { struct: 'timespec', fields: {} }, 0, 8], {
      ...words('is there more output?', why),
      to: 'ready',
      onError: { goto: { EINTR: 'last' } },
    }),
    o.branch('ready', '==', 0, 'ended', words('no', why)),
    o.load(o.buf('relay', 14), 2, 'events', words('what about the terminal?', why)),
    o.branch('events', '&', IN, 'last-output', words('there is more', why)),
    o.jump('ended', words('it has hung up', why)),
    o.label('last-output'),
    ...planCopyOutput('last', 'ended', 'ended'),
    o.jump('last', words('is there more?', why)),
    o.label('ended'),
  ];
}

/** When all is over, well or not: the caller gets its terminal back. Comes before everything is removed. */
export function planGiveBackTerminal(input: ProcessInput): Op[] {
  if (!readsKeys(input)) return [];
  const why = 'The caller finds the terminal as it was.';
  return [
    ...planRestore(input, 'leave'), // while the process that would do it in our place is still there
    o.branch('keys', '<', 1, 'no-keys', words('is somebody reading keys?', why)),
    o.kill(o.reg('keys'), o.flags('SIGKILL'), {
      ...words('end the process that reads keys', why),
      onError: { ignore: ['ESRCH'], fail: 'leave' },
    }),
    o.wait4(o.reg('keys'), 0, [], {
      ...words('wait for its end', why),
      onError: { ignore: ['ECHILD'], fail: 'leave' },
    }),
    o.label('no-keys'),
  ];
}

function planRestore({ terminal }: ProcessInput, fail: string): Op[] {
  if (terminal?.fd === undefined) return [];
  return [
    ioctl(
      terminal.fd,
      'TCSETS',
      { bytes: terminal.saved },
      {
        ...words("give the caller's terminal its settings back", 'The caller finds the terminal as it was.'),
        // The terminal may be gone: then nobody misses its settings.
        onError: { ignore: ['EIO'], fail },
      },
    ),
  ];
}

/** The process that reads keys; ends by the host program's SIGKILL, or when the host program is gone. */
export function planKeys(input: ProcessInput): Op[] {
  if (!readsKeys(input)) return [];
  const why = 'Keys go to the container; and if the host program dies, somebody must give the terminal back.';
  const leave = { onError: { fail: 'leave' } };
  return [
    o.label('keys'),
    o.prctl('PR_SET_NAME', ['tinyrun:input'], { ...words('call this process tinyrun:input', why), ...leave }),
    o.close(o.reg('life-w'), {
      ...words('close life-w', 'Only the host program has this end: so its death can be seen.'),
      ...leave,
    }),
    // In the background, reading a terminal stops the process (SIGTTIN); blocked, it would fail instead.
    o.call(
      'rt_sigprocmask',
      [
        o.flags('SIG_SETMASK'),
        { struct: 'sigset', fields: { bits: ~(1n << 20n) & 0xffffffffffffffffn } },
        0,
        8,
      ],
      {
        ...words(
          'let SIGTTIN stop us',
          'A job in the background may not read; in the foreground it goes on.',
        ),
        ...leave,
      },
    ),
    o.set('stdin', 0, words('read from stdin', why)),
    o.store('stdin', o.buf('keys'), 4, words('wait for keys', why)),
    o.store('life-r', o.buf('keys', 8), 4, words('wait for the end of the host program', why)),
    o.label('key'),
    o.call('ppoll', [o.buf('keys'), 2, 0, 0, 8], {
      ...words('wait for keys', why),
      onError: { goto: { EINTR: 'key' }, fail: 'leave' },
    }),
    o.load(o.buf('keys', 14), 2, 'events', words('what about the host program?', why)),
    o.branch('events', '&', HUNG_UP, 'orphan', words('it is gone', why)),
    o.read(0, o.buf('chunk'), CHUNK, {
      ...words('read keys', why),
      to: 'size',
      onError: { goto: { EAGAIN: 'key', EINTR: 'key', '*': 'no-more-keys' } },
    }),
    o.branch('size', '==', 0, 'no-more-keys', words('is it the end of the input?', why)),
    o.write(o.reg('master'), o.buf('chunk'), o.reg('size'), {
      ...words('hand them on', why),
      onError: { goto: { '*': 'no-more-keys' } },
    }),
    o.jump('key', words('wait for more', why)),
    o.label('no-more-keys'),
    o.write(o.reg('master'), '\x04', 1, {
      ...words('type Ctrl-D', 'The input has ended: a program that reads lines is told so.'),
      onError: { goto: { '*': 'only-watch' } },
    }),
    o.label('only-watch'),
    o.set('none', -1, words('forget stdin', why)),
    o.store('none', o.buf('keys'), 4, words('stop reading keys', why)),
    o.jump('key', words('watch the host program', why)),
    o.label('orphan'),
    ...planRestore(input, 'leave'),
    o.jump('leave', words('end', why)),
  ];
}
