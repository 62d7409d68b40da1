// Messages: to people on stderr, and to the file of --log in the forms that engines read from runc, logrus' text and
// JSON. With a log file, warnings go only there, as runc's do: stderr belongs to the container as well.

import { close, flag, open, SystemError, writeAll } from '../../native-bindings/libc.ts';
import { printable } from '../errors.ts';
import type { GlobalOptions } from './options.ts';

export interface Log {
  error(text: string): void;
  warn(text: string): void;
  /** Only with --debug. */
  debug(text: string): void;
}

type Level = 'error' | 'warning' | 'debug';

const utf8 = new TextEncoder();

/** Writes text to a file descriptor, synchronously and completely. */
export function print(fd: number, text: string): void {
  writeAll(fd, utf8.encode(text));
}

/**
 * What stands before and behind a message, JSON-quoted but without the quotes, in a line of the log file.
 * @param now milliseconds since 1970
 */
export function logEnds(format: GlobalOptions['logFormat'], level: Level, now: number): [string, string] {
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`; // logrus gives whole seconds
  return format === 'json'
    ? [`{"level":"${level}","msg":"`, `","time":"${time}"}\n`]
    : [`time="${time}" level=${level} msg="`, '"\n'];
}

/** The messages of one tinyrun. The log file is opened for each message: there are few. */
export function createLog({
  log: file,
  logFormat,
  debug,
}: Pick<GlobalOptions, 'log' | 'logFormat' | 'debug'>): Log {
  const append = (level: Level, text: string): void => {
    if (file === undefined) return;
    const [before, behind] = logEnds(logFormat, level, Date.now());
    const problem = appendTo(file, before + JSON.stringify(text).slice(1, -1) + behind);
    if (problem !== undefined) print(2, `tinyrun: warning: ${problem}\n`);
  };
  // A line each, whatever names are in it; but a stack trace has many.
  const tell = (level: Level, text: string): void => {
    if (file === undefined) print(2, `tinyrun: ${level}: ${printable(text, level === 'debug')}\n`);
    append(level, text);
  };
  return {
    error(text) {
      print(2, `tinyrun: ${printable(text, false)}\n`);
      append('error', text);
    },
    warn: (text) => tell('warning', text),
    debug: debug ? (text) => tell('debug', text) : () => {},
  };
}

/** Returns what went wrong, if anything did: a message that cannot be logged must not hide the one it is about. */
function appendTo(file: string, text: string): string | undefined {
  const flags = flag('O_WRONLY', 'O_CREAT', 'O_APPEND');
  const fd = open(file, flags, 0o644);
  if (fd < 0) return new SystemError(`open log file ${file}`, -fd).message;
  try {
    print(fd, text);
  } catch (error) {
    if (error instanceof SystemError) return `log file ${file}: ${error.message}`;
    throw error;
  } finally {
    close(fd);
  }
  return undefined;
}
