// A moment as Docker's flags take it: an RFC 3339 date or time (without a zone: the local one), seconds since 1970, or a
// duration before now, as Go writes it.

import { TinyrunError } from '../errors.ts';
import { parseDuration } from './duration.ts';

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:\d\d)?$/;
const UNIX = /^(\d{1,11})(?:\.(\d{1,9}))?$/;

const SECOND = 1_000_000_000n;
const fraction = (digits = ''): bigint => BigInt(digits.padEnd(9, '0'));

/**
 * Reads a moment.
 * @param now milliseconds since 1970
 * @param option for the message: `--since`
 * @returns nanoseconds since 1970
 * @throws TinyrunError USAGE
 */
export function parseMoment(text: string, now: number, option: string): bigint {
  const unix = UNIX.exec(text);
  if (unix !== null) return BigInt(unix[1]!) * SECOND + fraction(unix[2]);
  const duration = parseDuration(text);
  if (duration !== undefined) return BigInt(Math.round((now - duration) * 1e6));
  const seconds = parseDate(text);
  if (seconds !== undefined) return seconds;
  throw new TinyrunError('USAGE', `invalid value ${JSON.stringify(text)} for ${option}: it is no time`, {
    hint: 'like 2026-11-26T03:19:37Z, 2026-11-26, 1795664201, 10m',
  });
}

function parseDate(text: string): bigint | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00', part, zone] = DATE.exec(text) ?? [];
  if (year === undefined) return undefined;
  // Without a zone a time is local to JavaScript; a mere date would not be, so all parts are given.
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone ?? ''}`).getTime();
  if (Number.isNaN(time)) return undefined;
  return BigInt(time / 1000) * SECOND + fraction(part);
}
