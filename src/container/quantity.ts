// Amounts on the command line -> numbers, with Docker's grammar and words.

import { TinyrunError } from '../errors.ts';
import { parseSize } from '../volume/size.ts';

/**
 * Bytes: `64m`, `1.5g`, `512`, `1 GiB`; units are powers of 1024.
 * @param flag `--memory`, for the message
 * @throws TinyrunError USAGE
 */
export function parseBytes(text: string, flag: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new TinyrunError(
    'USAGE',
    `invalid argument ${JSON.stringify(text)} for ${flag}: invalid size: '${text}'`,
    {
      hint: 'write bytes, or a number with b, k, m or g: 512m',
    },
  );
}

/**
 * A whole number.
 * @throws TinyrunError USAGE
 */
export function parseInteger(text: string, flag: string): number {
  const value = Number(text);
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new TinyrunError(
    'USAGE',
    `invalid argument ${JSON.stringify(text)} for ${flag}: it is no whole number`,
  );
}

/**
 * CPUs, as 10^-9 of one: `1.5`.
 * @throws TinyrunError USAGE
 */
export function parseCpus(text: string): number {
  const nano = Math.round(Number(text) * 1e9);
  if (/^(\d+(\.\d*)?|\.\d+)$/.test(text) && Number.isSafeInteger(nano)) return nano;
  throw new TinyrunError(
    'USAGE',
    `invalid argument ${JSON.stringify(text)} for --cpus: failed to parse ${text} as a rational number`,
  );
}
