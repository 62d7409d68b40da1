// `logs`: what a container has printed, and with --follow what it prints, until it ends.

import { close, writeAll } from '../../native-bindings/libc.ts';
import { LOST } from '../plan/output-log.ts';
import { closeLog, type LogCursor, type LogRecord, openLog, readRecords } from './log-files.ts';
import { countLines, type LogView, type Shown, viewOf } from './log-view.ts';
import { hasMonitor, openMonitor } from './monitor.ts';
import { clearWatch, waitReadable, watchDirectory } from './watch.ts';

export interface LogsOptions extends Omit<LogView, 'skip'> {
  /** The last lines; undefined: all. */
  tail: number | undefined;
  follow: boolean;
}

/** The container, as its record has it. */
export interface Logged {
  id: string;
  directory: string;
}

/** How long a change may go unnoticed that inotify does not tell of; milliseconds. */
const PATIENCE = 500;
/** And the end of a monitor that we have come too late to find. */
const SOON = 10;

/**
 * Shows it on stdout and stderr.
 * @param root state root
 * @param directory of the container
 * @throws TinyrunError HOST, SystemError
 */
export function showLogs(root: string, { id, directory }: Logged, options: LogsOptions): void {
  const { tail, follow } = options;
  const skip = tail === undefined ? 0 : Math.max(0, countAll(directory, options) - tail);
  const screen = screenOf(viewOf({ ...options, skip }));
  const cursor = openLog(directory);
  try {
    if (follow) followLog(root, id, cursor, screen, options.until);
    else showAll(cursor, screen);
  } finally {
    closeLog(cursor);
  }
}

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

function countAll(directory: string, range: LogsOptions): number {
  const cursor = openLog(directory);
  try {
    return countLines(readRecords(cursor), range);
  } finally {
    closeLog(cursor);
  }
}

/** Shows all that came since the last time. */
export function showAll(cursor: LogCursor, { show, flush }: Screen): void {
  for (const record of readRecords(cursor)) show(record);
  flush();
}

/** Shows what there is, and what comes until the container's monitor has ended, or time is up. */
function followLog(
  root: string,
  id: string,
  cursor: LogCursor,
  screen: Screen,
  until: bigint | undefined,
): void {
  const watch = watchDirectory(cursor.directory);
  const monitor = openMonitor(root, id);
  try {
    for (;;) {
      const ready = waitReadable(monitor === undefined ? [] : [monitor], 0);
      const ended = monitor === undefined ? !hasMonitor(root, id) : ready.length > 0;
      const last = ended || (until !== undefined && now() > until); // before the reading: all until then is shown
      clearWatch(watch);
      showAll(cursor, screen);
      if (last) return;
      if (monitor === undefined) waitReadable([watch], SOON);
      else waitReadable([watch, monitor], PATIENCE);
    }
  } finally {
    close(watch);
    if (monitor !== undefined) close(monitor);
  }
}

const LOST_WORDS = 'tinyrun: some output is missing here: the log could not be written\n';
const BUFFER = 64 * 1024; // bytes

/** Writes records to the caller's streams. */
export interface Screen {
  show: (record: LogRecord) => void;
  /** Writes what was not written yet: there may be many short lines, and few calls should do. */
  flush: () => void;
}

/** Shows what a view makes of records; that output was lost is said on stderr. */
export function screenOf(view: (record: LogRecord) => Shown[]): Screen {
  const buffer = new Uint8Array(BUFFER);
  let [used, current] = [0, 1];
  const flush = (): void => {
    const size = used;
    used = 0;
    writeAll(current, buffer.subarray(0, size));
  };
  const put = (stream: number, bytes: Uint8Array): void => {
    if (stream !== current || used + bytes.length > BUFFER) flush();
    current = stream;
    buffer.set(bytes, used);
    used += bytes.length;
  };
  const show = (record: LogRecord): void => {
    if (record.stream === LOST) put(2, new TextEncoder().encode(LOST_WORDS));
    else for (const { stream, bytes } of view(record)) put(stream, bytes);
  };
  return { show, flush };
}
