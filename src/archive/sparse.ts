// Files with holes, as archives say where their data lies: tar(5), "GNU tar Archives"; GNU tar's manual, "Storing Sparse
// Files". Four ways: in the header block and blocks behind it (old GNU), in pax records (0.0: a pair each, 0.1: one list),
// in front of the data (1.0).

import { TinyrunError } from '../errors.ts';
import { BLOCK, decodeNumber } from './header.ts';
import { byteString } from './names.ts';
import { parseCount, type Records } from './pax.ts';

/** A stretch of data; what is between them is a hole. */
export interface Region {
  offset: number;
  length: number;
}

export interface SparseMap {
  /** Ascending, without overlap. */
  regions: readonly Region[];
  /** Of the whole file. */
  size: number;
}

/** A map fits into the megabyte that headers may take (entries.ts). */
const MOST_REGIONS = 100_000;

const damaged = (why: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `the map of a sparse file is damaged: ${why}`);

/**
 * Checks a map.
 * @param stored bytes of data that the archive has
 * @throws TinyrunError ARCHIVE: out of order, beyond the file's end, or not what is stored
 */
export function checkMap(map: SparseMap, stored: number): SparseMap {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of map.regions) {
    if (length < 0) throw damaged(`data of ${length} bytes`);
    if (offset < end) throw damaged(`data at ${offset} begins before ${end}`);
    end = offset + length;
    sum += length;
    if (end > map.size) throw damaged(`data up to ${end} in a file of ${map.size} bytes`);
  }
  if (sum !== stored) throw damaged(`it has ${sum} bytes of data, the archive ${stored}`);
  // An empty one marks the end of a file that ends with a hole.
  return { size: map.size, regions: map.regions.filter(({ length }) => length > 0) };
}

/** The pairs of a GNU header block, or of the block behind it, and whether another one follows. */
export function parseGnuPairs(
  block: Uint8Array,
  at: number,
  count: number,
): { regions: Region[]; more: boolean } {
  const regions: Region[] = [];
  for (let i = 0; i < count; i++) {
    const pair = block.subarray(at + 24 * i, at + 24 * (i + 1));
    if (pair[0] === 0) break;
    regions.push({
      offset: decodeNumber(pair.subarray(0, 12), 'sparse offset'),
      length: decodeNumber(pair.subarray(12), 'sparse length'),
    });
  }
  return { regions, more: block[at + 24 * count] !== 0 };
}

/** In the header block: four pairs at 386, whether it goes on at 482, the file's size at 483; behind it 21 pairs a block. */
export const GNU_HEADER = { pairs: 386, count: 4, size: 483 } as const;
export const GNU_EXTENSION = { pairs: 0, count: 21 } as const;

/** What pax records say of a file's holes; `inBody`: the map is in front of the data. */
export type PaxSparse = { map: SparseMap } | { inBody: true; size: number } | undefined;

/** @throws TinyrunError ARCHIVE */
export function parsePaxSparse(records: Records): PaxSparse {
  if (records.length === 0) return undefined;
  const last = (key: string) => records.findLast(([name]) => name === `GNU.sparse.${key}`)?.[1];
  const size = last('realsize') ?? last('size');
  if (last('major') !== undefined) {
    const version = [last('major'), last('minor')].map((value) =>
      value === undefined ? '' : byteString(value),
    );
    if (version.join('.') !== '1.0') throw damaged(`unknown version ${version.join('.')}`);
    if (size === undefined) throw damaged('it has no size');
    return { inBody: true, size: parseCount(size, 'GNU.sparse.realsize') };
  }
  const list = last('map');
  const pairs = records.filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes');
  if (list === undefined && pairs.length === 0) return undefined;
  if (size === undefined) throw damaged('it has no size');
  const numbers =
    list === undefined
      ? pairs.map(([key, value]) => parseCount(value, key))
      : byteString(list)
          .split(',')
          .filter((text) => text !== '')
          .map(numberOf);
  return { map: { regions: toRegions(numbers), size: parseCount(size, 'GNU.sparse.size') } };
}

function toRegions(numbers: readonly number[]): Region[] {
  if (numbers.length % 2 !== 0) throw damaged('an offset without a length');
  if (numbers.length > 2 * MOST_REGIONS) throw damaged(`more than ${MOST_REGIONS} pieces`);
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    offset: numbers[2 * i]!,
    length: numbers[2 * i + 1]!,
  }));
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(number))
    throw damaged(`${JSON.stringify(text.slice(0, 40))} is no number`);
  return number;
}

/**
 * Reads version 1.0's map: decimal lines, the count first, padded to whole blocks.
 * @param next the next block of the body
 * @throws TinyrunError ARCHIVE
 */
export async function readBodyMap(
  next: () => Promise<Uint8Array>,
): Promise<{ regions: Region[]; bytes: number }> {
  const numbers: number[] = [];
  let text = '';
  let bytes = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    text += Buffer.from(await next()).toString('latin1');
    bytes += BLOCK;
    const lines = text.split('\n');
    text = lines.pop()!;
    if (text.length > BLOCK) throw damaged('a line without an end');
    for (const line of lines) numbers.push(numberOf(line));
    const count = numbers[0] ?? 0;
    if (count > MOST_REGIONS) throw damaged(`${count} pieces, more than ${MOST_REGIONS}`);
    wanted = 1 + 2 * count;
  }
  return { regions: toRegions(numbers.slice(1, wanted)), bytes };
}

/** The same, written. */
export function encodeBodyMap(regions: readonly Region[]): Uint8Array {
  const numbers = [regions.length, ...regions.flatMap(({ offset, length }) => [offset, length])];
  const text = Buffer.from(`${numbers.join('\n')}\n`, 'latin1');
  const padded = new Uint8Array(Math.ceil(text.length / BLOCK) * BLOCK);
  padded.set(text);
  return padded;
}
