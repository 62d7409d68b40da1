// Waiting for file descriptors and for time at once: ppoll(2).

import { rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errnos } from '../sys/errno.ts';

export interface Waiting {
  fd: number;
  /** POLL* bits. */
  events: number;
}

/**
 * Waits until one of the descriptors is ready, or until the time is over.
 * @param milliseconds undefined: without end
 * @returns for each descriptor whether it is ready, be it for an error
 */
export function waitFor(waiting: readonly Waiting[], milliseconds: number | undefined): boolean[] {
  const pollfds = new DataView(new ArrayBuffer(8 * waiting.length)); // struct pollfd { int fd; short events, revents; }
  waiting.forEach(({ fd, events }, i) => {
    pollfds.setInt32(8 * i, fd, true);
    pollfds.setInt16(8 * i + 4, events, true);
  });
  const result = rawSyscall(
    'ppoll',
    new Uint8Array(pollfds.buffer),
    waiting.length,
    milliseconds === undefined ? null : timespec(Math.max(milliseconds, 0)),
    null,
    0,
  );
  if (result < 0 && result !== -errnos['EINTR']!) throw new SystemError('wait for an event', -result);
  return waiting.map((_, i) => result > 0 && pollfds.getInt16(8 * i + 6, true) !== 0);
}

/** A struct timespec. */
function timespec(milliseconds: number): Uint8Array {
  const whole = Math.floor(milliseconds / 1000);
  const rest = Math.round((milliseconds - 1000 * whole) * 1e6);
  return new Uint8Array(new BigInt64Array([BigInt(whole), BigInt(Math.min(rest, 999_999_999))]).buffer);
}
