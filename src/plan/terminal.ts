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
import type { PlanInput, ProcessInput } from './input.ts';
import { planTarget } from './mount-point.ts';
import type { Places } from './place.ts';
import { planSendFd } from './sockets.ts';
import { runtime } from './words.ts';

/** Words of ops that exist because of process.terminal. */
export const words = (what: string, why: string): Words => ({ what, why, from: '/process/terminal' });

const wantsTerminal = ({ config }: ProcessInput): boolean => config.process.terminal === true;
/** Whether the container's terminal is relayed to the caller's; a detached one is sent over the console socket. */
export const isRelayed = (input: ProcessInput): boolean =>
  wantsTerminal(input) && input.lifecycle === 'foreground';
/** The caller's terminal, where his keys are for a container with a monitor: then it is raw. */
export const rawTerminal = ({ terminal, monitor }: ProcessInput) =>
  terminal?.fd !== undefined && monitor?.openStdin && monitor.attach?.stdin
    ? { fd: terminal.fd, saved: terminal.saved, raw: terminal.raw }
    : undefined;

const winsize = (rows: number, columns: number) =>
  ({ struct: 'winsize', fields: { ws_row: rows, ws_col: columns } }) as const;
/** ioctl_tty(2). */
export const ioctl = (
  fd: o.Fd,
  request: string,
  arg: Parameters<typeof o.call>[1][number],
  extra: o.Extra,
): Op => o.call('ioctl', [fd, o.flags(request), arg], extra);

// Init program

/** First of all: failures are still told to the caller when stderr has become the container's. */
export function planKeepStderr(input: ProcessInput): Op[] {
  if (!wantsTerminal(input) && input.monitor === undefined) return [];
  const why = "Failures are for the caller: soon our stderr will be the container's.";
  return [
    o.call('fcntl', [2, o.flags('F_DUPFD_CLOEXEC'), 3], {
      ...(wantsTerminal(input) ? words : runtime)('keep stderr', why),
      to: 'stderr',
    }),
  ];
}

/** Before pivot_root: opens the pair, mounts /dev/console, hands the master to who relays it. */
export function planTerminal(input: PlanInput, places: Places): Op[] {
  if (!wantsTerminal(input)) return [];
  return [...planOpenTerminal(input), ...planConsole(places), ...planHandOver(input)];
}

/** Of a process that is added to a container: the same, but for /dev/console, which is the first one's. */
export function planTerminalInside(input: ProcessInput): Op[] {
  if (!wantsTerminal(input)) return [];
  return [...planOpenTerminal(input), ...planHandOver(input)];
}

/** Opens master and slave; register `root` is the container's root. */
function planOpenTerminal(input: ProcessInput): Op[] {
  const own =
    "The terminal comes from the container's own devpts: its name is right inside, and no other container sees it.";
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
  ];
}

function planConsole(places: Places): Op[] {
  const console = planTarget(
    places.find('dev/console'),
    'dev/console',
    'file',
    'console',
    '/process/terminal',
  );
  return [
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
  ];
}

function planHandOver(input: ProcessInput): Op[] {
  return [
    ...(isRelayed(input) ? planHandMaster() : planSendMaster()),
    o.close(
      o.reg('master'),
      words('close the master', 'Only who relays it has it: its end hangs up the terminal.'),
    ),
  ];
}

function planHandMaster(): Op[] {
  const hand =
    'The host program takes the master out of our descriptors: it outlives us, we become the container.';
  return [
    o.store('master', o.buf('ttynumber'), 4, words('put the number of the master into a buffer', hand)),
    o.write(
      o.reg('tty-init'),
      o.buf('ttynumber'),
      4,
      words('tell the host program the number of the master', hand),
    ),
    o.read(o.reg('tty-init'), o.buf('byte'), 1, words('wait until it has taken it', hand)),
  ];
}

/** As runc: the master with a word that says what it is. */
function planSendMaster(): Op[] {
  const why = 'Who called us relays the terminal: it waits for the master at the console socket.';
  return [
    ...planSendFd('console', 'master', '/dev/ptmx', {
      ...words('send the master of the terminal to the console socket', why),
      from: '--console-socket',
    }),
    o.close(o.reg('console'), { ...words('close the console socket', why), from: '--console-socket' }),
  ];
}

/** Late: the slave becomes stdio and the controlling terminal. */
export function planTerminalStdio(input: ProcessInput): Op[] {
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
export function planTerminalSockets(input: ProcessInput): Op[] {
  if (!isRelayed(input)) return [];
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
