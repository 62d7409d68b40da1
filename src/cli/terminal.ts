// Whether somebody looks on.

import { flag, rawSyscall } from '../../native-bindings/libc.ts';

/** TCGETS succeeds on terminals only: ioctl_tty(2). */
export const isTerminal = (fd: number): boolean =>
  rawSyscall('ioctl', fd, flag('TCGETS'), new Uint8Array(64)) === 0;
