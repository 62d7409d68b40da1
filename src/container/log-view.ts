// Records of a container's log -> what is shown of them: lines by time and number, with the time in front. Without any of
// that, the bytes are as the container printed them. Pure.
//
// A line has the time of its first byte. Lines of stdout and of stderr that are under way at the same time are told apart.

import type { LogRecord } from './log-files.ts';

export interface LogView {
  /** Nanoseconds since 1970; lines from `since` to `until`, both included. */
  since: bigint | undefined;
  until: bigint | undefined;
  /** How many lines of those are passed over. */
  skip: number;
  timestamps: boolean;
}

/** Bytes for a stream of the caller's. */
export interface Shown {
  stream: number;
  bytes: Uint8Array;
}

const NEWLINE = 10;
const utf8 = new TextEncoder();

/** Bytes of one line, or of a part of one. */
interface Piece {
  bytes: Uint8Array;
  /** It is the first of its line. */
  begins: boolean;
}

/** Returns a function that takes one record after the other, and gives the pieces of lines in the range of time. */
function piecesIn({ since, until }: Pick<LogView, 'since' | 'until'>): (record: LogRecord) => Piece[] {
  const streams: Record<number, { begins: boolean; inside: boolean }> = {};
  return ({ stream, time, bytes }) => {
    streams[stream] ??= { begins: true, inside: true };
    const state = streams[stream];
    return linesOf(bytes).flatMap((line): Piece[] => {
      const { begins } = state;
      if (begins)
        state.inside = (since === undefined || time >= since) && (until === undefined || time <= until);
      state.begins = line.at(-1) === NEWLINE;
      return state.inside ? [{ bytes: line, begins }] : [];
    });
  };
}

/** Returns a function that takes one record after the other, and gives what is shown of it. */
export function viewOf(view: LogView): (record: LogRecord) => Shown[] {
  const { since, until, skip, timestamps } = view;
  if (since === undefined && until === undefined && skip === 0 && !timestamps)
    return ({ stream, bytes }) => [{ stream, bytes }];
  const pieces = piecesIn(view);
  const isShown: Record<number, boolean> = {};
  let lines = 0;
  return (record) =>
    pieces(record).flatMap(({ bytes, begins }): Shown[] => {
      const { stream, time } = record;
      if (begins) isShown[stream] = ++lines > skip;
      if (isShown[stream] !== true) return [];
      const stamp = begins && timestamps ? [{ stream, bytes: utf8.encode(`${formatTime(time)} `) }] : [];
      return [...stamp, { stream, bytes }];
    });
}

/** How many lines of a range of time there are in these records. */
export function countLines(records: Iterable<LogRecord>, range: Pick<LogView, 'since' | 'until'>): number {
  const pieces = piecesIn(range);
  let lines = 0;
  for (const record of records) for (const { begins } of pieces(record)) if (begins) lines += 1;
  return lines;
}

/** The bytes cut behind each newline. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(at, end));
    at = end;
  }
  return lines;
}

/** RFC 3339 with nine digits of nanoseconds, UTC, as Docker shows it. */
export function formatTime(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`;
}
