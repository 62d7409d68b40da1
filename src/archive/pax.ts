// Extended headers <-> records `LENGTH KEY=VALUE\n`: POSIX pax, "pax Extended Header". Values are bytes: an extended
// attribute (SCHILY.xattr.NAME, star(1)) may hold anything.

import { TinyrunError } from '../errors.ts';
import { type ByteString, byteString, rawBytes } from './names.ts';

/** A key may come several times: the pairs of a sparse file do. */
export type Records = readonly (readonly [key: ByteString, value: Uint8Array])[];

export const XATTR = 'SCHILY.xattr.';

const damaged = (why: string): TinyrunError => new TinyrunError('ARCHIVE', `a pax header is damaged: ${why}`);

/** @throws TinyrunError ARCHIVE */
export function parseRecords(bytes: Uint8Array): Records {
  const records: [ByteString, Uint8Array][] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : byteString(bytes.subarray(at, Math.min(space, at + 10)));
    const length = /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > bytes.length || bytes[end - 1] !== 0x0a) {
      if (bytes.subarray(at).every((byte) => byte === 0)) break; // some archivers pad with NULs
      throw damaged(`no record at byte ${at}`);
    }
    const equals = bytes.indexOf(0x3d, space);
    if (equals < 0 || equals >= end || equals === space + 1)
      throw damaged(`a record without a key at byte ${at}`);
    const key = byteString(bytes.subarray(space + 1, equals));
    records.push([key, bytes.slice(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** Records as the body of an extended header, each with its own length in front. */
export function encodeRecords(records: Records): Uint8Array {
  return Buffer.concat(
    records.flatMap(([key, value]) => {
      const rest = key.length + value.length + 3; // space, `=`, newline
      // The length counts its own digits.
      let length = rest + String(rest).length;
      if (rest + String(length).length > length) length++;
      return [rawBytes(`${length} ${key}=`), value, rawBytes('\n')];
    }),
  );
}

/**
 * A number without sign or fraction.
 * @throws TinyrunError ARCHIVE
 */
export function parseCount(value: Uint8Array, key: string): number {
  const text = byteString(value);
  const number = Number(text);
  if (!/^\d{1,20}$/.test(text) || !Number.isSafeInteger(number))
    throw damaged(`${key} is ${JSON.stringify(text)}`);
  return number;
}

/** Seconds, also before 1970, and the nanoseconds behind them. */
export interface Time {
  seconds: number;
  nanoseconds: number;
}

/**
 * Decimal seconds with a fraction; what is finer than nanoseconds is cut.
 * @throws TinyrunError ARCHIVE
 */
export function parseTime(value: Uint8Array, key: string): Time {
  const text = byteString(value);
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null) throw damaged(`${key} is ${JSON.stringify(text.slice(0, 40))}`);
  const [, sign, whole = '', fraction = ''] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (sign !== '-') return { seconds: Number(whole), nanoseconds };
  return nanoseconds === 0
    ? { seconds: -Number(whole), nanoseconds }
    : { seconds: -Number(whole) - 1, nanoseconds: 1e9 - nanoseconds };
}

/** A time in seconds, with as many decimals as it takes. */
export function formatTime({ seconds, nanoseconds }: Time): string {
  if (nanoseconds === 0) return String(seconds);
  const [sign, whole, rest] =
    seconds < 0 ? ['-', -seconds - 1, 1e9 - nanoseconds] : ['', seconds, nanoseconds];
  return `${sign}${whole}.${String(rest).padStart(9, '0').replace(/0+$/, '')}`;
}
