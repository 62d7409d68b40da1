// process.terminal: a pseudoterminal of the container's own devpts, relayed to the caller's terminal. OCI config.md,
// "terminal", "consoleSize"; pty(7), ioctl_tty(2).
//
//   caller's terminal (raw)                          the container's /dev/pts/0
//      keys ──> tinyrun:input ──────────────────────> master ──> slave: stdin, stdout, stderr, /dev/console
//    screen <── tinyrun:host <─────────────────────── master <── slave
//
// Two processes, so that neither direction can hold up the other: the host program relays the output and all signals,
// a child of it the keys. That child also gives the caller's terminal back if the host program is killed.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { planTarget } from './mount-point.ts';
import type { Places } from './place.ts';

const words = (what: string, why: string): Words => ({ what, why, from: '/process/terminal' });
const [IN, HUNG_UP] = [0x1, 0x38]; // POLLIN; POLLERR, POLLHUP, POLLNVAL of <poll.h>
const CHUNK = 4096; // bytes: at most this much is written at once, which a pipe takes whole or not at all (PIPE_BUF)
const RAW = 'Keys go to the container as they are: its own terminal turns Ctrl-C into a signal, and echoes.';

export const wantsTerminal = ({ config }: PlanInput): boolean => config.process.terminal === true;

/** pollfd entries as they start: both wait for something to read. */
const polls = (): Uint8Array => Uint8Array.from([0, 0, 0, 0, IN, 0, 0, 0, 0, 0, 0, 0, IN, 0, 0, 0]);

export function terminalBuffers(input: PlanInput): { name: string; size: number; init?: Uint8Array }[] {
  if (!wantsTerminal(input)) return [];
  return [
    { name: 'relay', size: 16, init: polls() },
    { name: 'keys', size: 16, init: polls() },
    { name: 'outpoll', size: 8, init: Uint8Array.from([1, 0, 0, 0, 4, 0, 0, 0]) }, // fd 1, POLLOUT
    { name: 'chunk', size: CHUNK },
    { name: 'ttynumber', size: 8 },
    { name: 'winsize', size: 8 },
  ];
}

const winsize = (rows: number, columns: number) =>
  ({ struct: 'winsize', fields: { ws_row: rows, ws_col: columns } }) as const;
const ioctl = (fd: o.Fd, request: string, arg: Parameters<typeof o.call>[1][number], extra: o.Extra): Op =>
  o.call('ioctl', [fd, o.flags(request), arg], extra);

// Init program

/** First of all: failures are still told to the caller when stderr has become the container's terminal. */
export function planKeepStderr(input: PlanInput): Op[] {
  if (!wantsTerminal(input)) return [];
  const why = "Failures are for the caller: soon our stderr will be the container's terminal.";
  return [
    o.call('fcntl', [2, o.flags('F_DUPFD_CLOEXEC'), 3], { ...words('keep stderr', why), to: 'stderr' }),
  ];
}

/** Before pivot_root: opens the pair, mounts /dev/console, hands the master to the host program. */
export function planTerminal(input: PlanInput, places: Places): Op[] {
  if (!wantsTerminal(input)) return [];
  const console = planTarget(
    places.find('dev/console'),
    'dev/console',
    'file',
    'console',
    '/process/terminal',
  );
  const own =
    "The terminal comes from the container's own devpts: its name is right inside, and no other container sees it.";
  const hand =
    'The host program takes the master out of our descriptors: it outlives us, we become the container.';
  const size =
    input.config.process.consoleSize ??
    (input.terminal && { height: input.terminal.rows, width: input.terminal.columns });
  return [
    o.openInRoot(o.reg('root'), 'dev/pts/ptmx', ['O_RDWR', 'O_NOCTTY'], {
      ...words('open /dev/pts/ptmx for the terminal', own),
      to: 'master',
    }),
    o.call('fstatfs', [o.reg('master'), o.buf('statfs')], words('look at its filesystem', own)),
    o.load(o.buf('statfs'), 8, 'fstype', words('take its type', own)),
    o.branch('fstype', '==', { flags: ['DEVPTS_SUPER_MAGIC'] }, 'is-devpts', words('is it devpts?', own)),
    o.fail(words('open the terminal: /dev/pts/ptmx is not of a devpts (mount one on /dev/pts)', own)),
    o.label('is-devpts'),
    ioctl(
      o.reg('master'),
      'TIOCSPTLCK',
      { bytes: new Uint8Array(4) },
      words('unlock the terminal', 'Until then its slave cannot be opened.'),
    ),
    ioctl(o.reg('master'), 'TIOCGPTPEER', o.flags('O_RDWR', 'O_NOCTTY', 'O_CLOEXEC'), {
      ...words(
        'open the slave of the terminal',
        'By the master itself: a path could have been swapped (CVE-2025-52565).',
      ),
      to: 'slave',
    }),
    ...(size === undefined
      ? []
      : [
          ioctl(o.reg('slave'), 'TIOCSWINSZ', winsize(size.height, size.width), {
            ...words(
              `set the window size to ${size.height} rows, ${size.width} columns`,
              'Programs draw for the size of the terminal.',
            ),
            from: input.config.process.consoleSize ? '/process/consoleSize' : '/process/terminal',
          }),
        ]),
    ...console.ops,
    o.openTree(o.reg('slave'), '', false, {
      ...words('bind the terminal', 'OCI: /dev/console is the terminal.'),
      to: 'mount',
    }),
    o.moveMount(
      o.reg('mount'),
      console.dir,
      words('mount the terminal on /dev/console', 'OCI: /dev/console is the terminal.'),
      console.path,
    ),
    o.close(o.reg('mount'), words('close the mount', 'It has served.')),
    ...console.close,
    o.store('master', o.buf('ttynumber'), 4, words('put the number of the master into a buffer', hand)),
    o.write(
      o.reg('tty-init'),
      o.buf('ttynumber'),
      4,
      words('tell the host program the number of the master', hand),
    ),
    o.read(o.reg('tty-init'), o.buf('byte'), 1, words('wait until it has taken it', hand)),
    o.close(
      o.reg('master'),
      words('close the master', 'Only the host program has it: its end hangs up the terminal.'),
    ),
  ];
}

/** Late: the slave becomes stdio and the controlling terminal. */
export function planTerminalStdio(input: PlanInput): Op[] {
  if (!wantsTerminal(input)) return [];
  const why = 'The program reads keys and writes to the screen of its own terminal.';
  return [
    ...[0, 1, 2].map((fd) =>
      o.call('dup3', [o.reg('slave'), fd, 0], words(`make the terminal file descriptor ${fd}`, why)),
    ),
    ioctl(
      0,
      'TIOCSCTTY',
      0,
      words('make it the controlling terminal', 'Ctrl-C and job control work for the session of init.'),
    ),
  ];
}

// Host program

/** Before clone3. */
export function planTerminalSockets(input: PlanInput): Op[] {
  if (!wantsTerminal(input)) return [];
  const why = 'Host and init hand over the terminal here.';
  return [
    o.call(
      'socketpair',
      [o.flags('AF_UNIX'), o.flags('SOCK_STREAM', 'SOCK_CLOEXEC'), 0, o.buf('fds')],
      words('make a socket pair', why),
    ),
    o.load(o.buf('fds', 0), 4, 'tty-host', words('take one end', why)),
    o.load(o.buf('fds', 4), 4, 'tty-init', words('take the other end', why)),
  ];
}

/** Behind clone3: takes the master, makes the caller's terminal raw, starts the child that reads keys. */
export function planTakeTerminal(input: PlanInput): Op[] {
  const { terminal } = input;
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
    o.write(o.reg('tty-host'), 'k', 1, words('let init go on', hand)),
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
    o.label('no-terminal'),
  ];
}

/** Instead of planWaitAndForward: output, signals, window size, until init has ended. */
export function planRelay(input: PlanInput): Op[] {
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
      words('it has hung up', 'Nobody in the container has it open any more.'),
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
  const why =
    'The last words of the container are still in the terminal; a tenth of a second for those that keep it open.';
  return [
    o.label('last'),
    o.call('ppoll', [o.buf('relay', 8), 1, { struct: 'timespec', fields: { tv_nsec: 100_000_000 } }, 0, 8], {
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
export function planGiveBackTerminal(input: PlanInput): Op[] {
  if (!wantsTerminal(input)) return [];
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

function planRestore({ terminal }: PlanInput, fail: string): Op[] {
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
export function planKeys(input: PlanInput): Op[] {
  if (!wantsTerminal(input)) return [];
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
