// What a program inherits besides its input: descriptors of the caller, where it tells of failures, where it shows its ops,
// and whether it has to do with a terminal.

import { fcntl, flag, open, rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { HostFacts } from '../plan/host.ts';
import type { Report } from '../program/op.ts';
import { logEnds } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { readPrelude } from './prelude.ts';
import { refused } from './probe.ts';

/** A terminal is relayed by `run` in the foreground, and else by whoever listens at the console socket. */
export function checkTerminal(
  terminal: boolean,
  { lifecycle, consoleSocket }: Pick<RunOptions, 'lifecycle' | 'consoleSocket'>,
): void {
  const detached = lifecycle !== 'foreground';
  if (terminal && detached && consoleSocket === undefined)
    throw new TinyrunError(
      'USAGE',
      'cannot allocate tty if tinyrun will detach without setting console socket',
      { hint: 'give --console-socket, or set /process/terminal to false' },
    );
  if (consoleSocket !== undefined && !(terminal && detached))
    throw new TinyrunError('USAGE', 'cannot use console socket if tinyrun will not detach or allocate tty');
}

/**
 * Where failures are told: stderr, and the file of --log, whose lines have the form of createLog.
 * @param doing what every message starts with
 */
export function reports(
  global: GlobalOptions,
  { now }: Pick<HostFacts, 'now'>,
  logFd: number | undefined,
  doing = '',
): Report[] {
  const stderr: Report = { reg: 'stderr', format: 'text', prefix: `tinyrun: ${doing}`, suffix: '\n' };
  if (logFd === undefined) return [stderr];
  const [prefix, suffix] = logEnds(global.logFormat, 'error', now);
  const file: Report = { reg: 'log', format: 'json', prefix: prefix + doing, suffix };
  return [stderr, file];
}

/** The file of --log, if there is one. */
export const openLog = ({ log }: GlobalOptions): number | undefined =>
  log === undefined ? undefined : openInherited(log, '--log');

/** Opens a file for appending so that the program inherits it; the container does not. */
function openInherited(path: string, option: '--log' | '--trace'): number {
  const fd = open(path, flag('O_WRONLY', 'O_CREAT', 'O_APPEND'), 0o644);
  if (fd < 0) throw refused('HOST', `${option}: open ${path}`, -fd, { option });
  fcntl(fd, flag('F_SETFD'), 0);
  return fd;
}

/**
 * A pipe for a program that we start.
 * @throws SystemError
 */
export function openPipe(): [reader: number, writer: number] {
  const fds = new Int32Array(2);
  syscall('make a pipe', 'pipe2', new Uint8Array(fds.buffer), flag('O_CLOEXEC'));
  const [reader = -1, writer = -1] = fds;
  return [reader, writer];
}

const F_GETFD = 1; // <fcntl.h>

export function openTrace(trace: string): number {
  if (!/^\d+$/.test(trace)) return openInherited(trace, '--trace');
  const open = rawSyscall('fcntl', Number(trace), F_GETFD, 0) >= 0;
  if (!open) throw new TinyrunError('USAGE', `--trace ${trace}: file descriptor ${trace} is not open`);
  return keepOpen(Number(trace));
}

/**
 * Lets the first `count` descriptors from 3 on pass, all of which the JavaScript engine marked close-on-exec, and no other:
 * what the caller has open besides is no business of the container, which could reach it while init has it open. One that
 * the caller promised but did not open is tolerated; the engine may have opened a file of its own under that number,
 * which stays out.
 */
export function inheritFds(count: number): void {
  rawSyscall('close_range', 3 + count, 0xffffffff, flag('CLOSE_RANGE_CLOEXEC'));
  const open = (count > 0 ? readPrelude()?.openFds : undefined) ?? [-1, -1];
  for (let fd = 3; fd < 3 + count; fd++)
    if (fd >= 64 || ((open[fd >> 5]! >>> (fd & 31)) & 1) === 1) rawSyscall('fcntl', fd, flag('F_SETFD'), 0);
}

/** The JavaScript engine marks all descriptors from 4 up close-on-exec at its start: takes that back. */
export function keepOpen(fd: number): number {
  fcntl(fd, flag('F_SETFD'), 0);
  return fd;
}
