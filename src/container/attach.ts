// `attach`: what a container prints from now on, and what is typed or written for it. The output comes from its log; the
// input goes where its monitor would write it. Several may be attached at once.
//
// Everything is waited for in ppoll(2). JavaScript's signal handlers run between two waits.

import { close, fcntl, flag, rawSyscall, readInto, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { TerminalInput } from '../plan/input.ts';
import { findContainer } from '../runtime/store.ts';
import { probeTerminal } from '../runtime/terminal.ts';
import { errnos } from '../sys/errno.ts';
import { detachFilter } from './detach-keys.ts';
import { closeLog, type LogCursor, openLogAtEnd } from './log-files.ts';
import { viewOf } from './log-view.ts';
import { type Screen, screenOf, showAll } from './logs.ts';
import { openMonitor, signalMonitor, takeInput } from './monitor.ts';
import { clearWatch, waitReadable, watchDirectory } from './watch.ts';

export interface AttachOptions {
  /** Hand on stdin. */
  stdin: boolean;
  sigProxy: boolean;
  /** Bytes; none: nothing lets go. */
  detachKeys: readonly number[];
}

/** The container, as its record has it. */
export interface Attached {
  id: string;
  /** Where its log is. */
  directory: string;
  tty: boolean;
}

/** How long a signal may wait for its handler; milliseconds. */
const PATIENCE = 100;
const CHUNK = 4096; // bytes

/**
 * Stays with a container that runs until it ends, or the caller lets go.
 * @returns its exit code; 0 if the caller lets go
 * @throws TinyrunError STATE if it does not run, in Docker's words
 */
export async function attach(root: string, container: Attached, options: AttachOptions): Promise<number> {
  const status = findContainer(root, container.id)?.state.status;
  if (status === 'paused')
    throw new TinyrunError('STATE', 'You cannot attach to a paused container, unpause it first', {
      data: { id: container.id },
    });
  const monitor = openMonitor(root, container.id);
  if (monitor === undefined && status === 'running')
    throw new TinyrunError(
      'STATE',
      'You cannot attach to a container whose monitor was killed: nobody reads its output',
      {
        hint: 'stop it and start it again',
        data: { id: container.id },
      },
    );
  if (monitor === undefined)
    throw new TinyrunError('STATE', 'You cannot attach to a stopped container, start it first', {
      data: { id: container.id },
    });
  const watch = watchDirectory(container.directory);
  const cursor = openLogAtEnd(container.directory);
  const sink = options.stdin ? takeInput(monitor) : undefined;
  const terminal = sink === undefined || !container.tty ? undefined : probeTerminal();
  if (terminal !== undefined && terminal.fd !== 0)
    throw new TinyrunError('USAGE', 'the input device is not a TTY', {
      hint: 'give --no-stdin, or call it at a terminal',
    });
  const stop = passSignals(monitor, sink, terminal, options.sigProxy);
  try {
    setTerminal(terminal, 'raw');
    return await relay({ monitor, watch, sink }, cursor, container.tty ? options.detachKeys : []);
  } finally {
    setTerminal(terminal, 'saved');
    stop();
    closeLog(cursor);
    for (const fd of [monitor, watch, sink]) if (fd !== undefined) close(fd);
  }
}

/** The code in `exit`, which the monitor writes last; undefined as long as the container runs. */
function exitCodeIn(directory: string): number | undefined {
  const code = readSmall(AT_FDCWD, `${directory}/exit`, 64)?.split(' ')[0];
  return code === undefined ? undefined : Number(code);
}
/** Nobody has written it: the monitor was killed, and with it the container. */
const KILLED = 137;

interface Descriptors {
  monitor: number;
  watch: number;
  sink: number | undefined;
}

async function relay(
  { monitor, watch, sink }: Descriptors,
  cursor: LogCursor,
  detachKeys: readonly number[],
): Promise<number> {
  const screen: Screen = screenOf(viewOf({ since: undefined, until: undefined, skip: 0, timestamps: false }));
  const input = sink === undefined ? undefined : inputOf(sink, detachKeys);
  let code: number | undefined;
  for (;;) {
    const reads = input?.isOpen() && input.isWritten() ? [0] : [];
    const ready = waitReadable([watch, monitor, ...reads], input?.isWritten() === false ? 10 : PATIENCE);
    await new Promise((resolve) => setImmediate(resolve));
    clearWatch(watch);
    showAll(cursor, screen);
    code = exitCodeIn(cursor.directory) ?? code; // with --rm it is there for moments only
    if (ready.includes(monitor)) return code ?? KILLED;
    if (input?.write(ready.includes(0)) === 'left') return 0;
  }
}

/** stdin, handed on as the container takes it. */
function inputOf(sink: number, detachKeys: readonly number[]) {
  fcntl(sink, flag('F_SETFL'), flag('O_NONBLOCK'));
  const filter = detachFilter(detachKeys);
  const buffer = new Uint8Array(CHUNK);
  let pending = new Uint8Array(0);
  let [open, left] = [true, false];
  const read = (): void => {
    const size = readInto(0, buffer);
    if (size === -errnos['EAGAIN']! || size === -errnos['EINTR']!) return;
    open = size > 0; // an error ends it as well: a terminal that is gone
    const typed = filter(buffer.subarray(0, Math.max(size, 0)));
    pending = Uint8Array.from(typed.bytes);
    left = typed.left;
  };
  const write = (): void => {
    if (pending.length === 0) return;
    const size = rawSyscall('write', sink, pending, pending.length);
    if (size >= 0) pending = pending.slice(size);
    else if (size === -errnos['EPIPE']! || size === -errnos['EIO']!) {
      open = false; // nobody reads there any more
      pending = new Uint8Array(0);
    } else if (size !== -errnos['EAGAIN']! && size !== -errnos['EINTR']!)
      throw new SystemError("write to the container's input", -size);
  };
  return {
    isOpen: () => open,
    isWritten: () => pending.length === 0,
    write: (isReady: boolean): 'left' | undefined => {
      if (isReady) read();
      write();
      return left && pending.length === 0 ? 'left' : undefined;
    },
  };
}

const PASSED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const;

/** Returns what takes the handlers back. */
function passSignals(
  monitor: number,
  sink: number | undefined,
  terminal: TerminalInput | undefined,
  sigProxy: boolean,
): () => void {
  const handlers: [NodeJS.Signals, () => void][] = [];
  if (sigProxy) for (const name of PASSED) handlers.push([name, () => signalMonitor(monitor, flag(name))]);
  if (sink !== undefined && terminal?.fd !== undefined) {
    const { fd } = terminal;
    const resize = (): void => resizeTo(sink, fd);
    resize();
    handlers.push(['SIGWINCH', resize]);
  }
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
}

/** The container's terminal gets the size of the caller's; its programs are told if that is another one. */
function resizeTo(sink: number, fd: number): void {
  const size = new Uint8Array(8);
  if (rawSyscall('ioctl', fd, flag('TIOCGWINSZ'), size) === 0)
    rawSyscall('ioctl', sink, flag('TIOCSWINSZ'), size);
}

function setTerminal(terminal: TerminalInput | undefined, how: 'raw' | 'saved'): void {
  if (terminal?.fd !== undefined) rawSyscall('ioctl', terminal.fd, flag('TCSETS'), terminal[how]);
}
