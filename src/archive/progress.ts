// A line on a terminal that says how far a long copy is: bytes, rate, and the time that is left where the whole is known.
// Where standard error is no terminal there is none: scripts and logs stay clean.

import { isTerminal, writeAll } from '../../native-bindings/libc.ts';

export interface Progress {
  /** So many more bytes are done. */
  advance(bytes: number): void;
  /** Takes the line away. */
  end(): void;
}

/** For those who want no line. */
export const noProgress: Progress = { advance() {}, end() {} };

/** Between two drawings. */
const EVERY_MS = 100;
const STDERR = 2;

/**
 * Begins a line.
 * @param label what is being done
 * @param total bytes; undefined: nobody knows
 */
export function startProgress(label: string, total?: number): Progress {
  if (!isTerminal(STDERR)) return noProgress;
  const begin = Bun.nanoseconds();
  let drawn = 0;
  let done = 0;
  const write = (text: string): void => writeAll(STDERR, new TextEncoder().encode(`\r${text}\x1b[K`));
  return {
    advance(bytes) {
      done += bytes;
      const now = Bun.nanoseconds();
      if (now - drawn < EVERY_MS * 1e6) return;
      drawn = now;
      write(formatProgress(label, done, total, (now - begin) / 1e9));
    },
    end() {
      if (drawn > 0) write('');
    },
  };
}

/** `LABEL: 12.3 MB of 500 MB, 210 MB/s, 3 s left`. */
export function formatProgress(
  label: string,
  done: number,
  total: number | undefined,
  seconds: number,
): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const left = total !== undefined && rate > 0 ? `, ${formatSeconds((total - done) / rate)} left` : '';
  const of = total === undefined ? '' : ` of ${formatBytes(total)}`;
  return `${label}: ${formatBytes(done)}${of}, ${formatBytes(rate)}/s${left}`;
}

function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${unit > 0 && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
