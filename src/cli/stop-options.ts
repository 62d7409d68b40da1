// The options of `stop` and `restart`.

import { parseInteger } from '../container/quantity.ts';
import type { StopOptions } from '../container/stop.ts';
import { TinyrunError } from '../errors.ts';
import { parseSignal } from '../sys/signals.ts';
import { type CommandLine, text } from './command-line.ts';

/** @throws TinyrunError USAGE */
export function toStopOptions(line: CommandLine): StopOptions {
  const signal = text(line, 'signal') || undefined;
  if (signal !== undefined && parseSignal(signal) === undefined)
    throw new TinyrunError('USAGE', `invalid signal: ${signal}`);
  const seconds = text(line, 'timeout') ?? text(line, 'time');
  return { signal, timeout: seconds === undefined ? undefined : parseInteger(seconds, '--timeout') };
}
