// The caller's terminal, before a container's is relayed to it: ioctl_tty(2), termios(3).

import { rawSyscall } from '../../native-bindings/libc.ts';
import type { TerminalInput } from '../plan/input.ts';
import { constants } from '../sys/constants.ts';

/** struct termios of the kernel: four words of flags, c_line, 19 control characters. */
const TERMIOS_SIZE = 36;
const [IFLAG, OFLAG, CFLAG, LFLAG, CC] = [0, 4, 8, 12, 17];
const [VTIME, VMIN] = [5, 6];

/** What a foreground run with a terminal must know; without a terminal among fds 0 to 2 only the output is relayed. */
export function probeTerminal(): TerminalInput {
  const saved = new Uint8Array(TERMIOS_SIZE);
  for (const fd of [0, 1, 2]) {
    if (rawSyscall('ioctl', fd, constants['TCGETS']!, saved) < 0) continue;
    const winsize = new Uint8Array(8);
    rawSyscall('ioctl', fd, constants['TIOCGWINSZ']!, winsize);
    const view = new DataView(winsize.buffer);
    return {
      fd,
      rows: view.getUint16(0, true),
      columns: view.getUint16(2, true),
      saved,
      raw: makeRaw(saved),
    };
  }
  return { fd: undefined, rows: 24, columns: 80, saved, raw: saved };
}

/** cfmakeraw(3). */
function makeRaw(termios: Uint8Array): Uint8Array {
  const raw = termios.slice();
  const view = new DataView(raw.buffer);
  const clear = (at: number, names: readonly string[]): void => {
    let flags = view.getUint32(at, true);
    for (const name of names) flags &= ~constants[name]!;
    view.setUint32(at, flags >>> 0, true);
  };
  clear(IFLAG, ['IGNBRK', 'BRKINT', 'PARMRK', 'ISTRIP', 'INLCR', 'IGNCR', 'ICRNL', 'IXON']);
  clear(OFLAG, ['OPOST']);
  clear(LFLAG, ['ECHO', 'ECHONL', 'ICANON', 'ISIG', 'IEXTEN']);
  clear(CFLAG, ['CSIZE', 'PARENB']);
  view.setUint32(CFLAG, view.getUint32(CFLAG, true) | constants['CS8']!, true);
  raw[CC + VMIN] = 1;
  raw[CC + VTIME] = 0;
  return raw;
}
