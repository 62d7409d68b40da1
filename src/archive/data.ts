// Where the bytes of an entry lie in its file, and how many of them the archive has: sparse files, in the forms that archivers
// have for them (sparse.ts).

import { TinyrunError } from '../errors.ts';
import { type Archive, takeBlock } from './blocks.ts';
import type { Fields } from './fields.ts';
import { BLOCK, decodeNumber, TYPE } from './header.ts';
import { HEADER_LIMIT } from './limits.ts';
import type { Records } from './pax.ts';
import {
  checkMap,
  GNU_EXTENSION,
  GNU_HEADER,
  parseGnuPairs,
  parsePaxSparse,
  type Region,
  readBodyMap,
} from './sparse.ts';

/** Where the bytes of a file lie in it, and how many of them there are still in the archive. */
export interface Data {
  regions: readonly Region[];
  size: number;
  left: number;
}

/** Of a file without holes, as are nearly all; undefined: it may have some. */
export function wholeData({ block, stored }: Fields, records: Records): Data | undefined {
  if (block.type === TYPE.gnuSparse || (block.type === TYPE.file && records.length > 0)) return undefined;
  return { regions: stored === 0 ? [] : [{ offset: 0, length: stored }], size: stored, left: stored };
}

/**
 * The same of any file; of some, the map is read from the body.
 * @throws TinyrunError ARCHIVE where the map is damaged
 */
export async function findData(
  archive: Archive,
  bytes: Uint8Array,
  fields: Fields,
  records: Records,
): Promise<Data> {
  const { block, stored } = fields;
  if (block.type === TYPE.gnuSparse) {
    const size = decodeNumber(bytes.subarray(GNU_HEADER.size, GNU_HEADER.size + 12), 'size');
    const regions = await readGnuMap(archive, bytes);
    return { ...checkMap({ regions, size }, stored), left: stored };
  }
  const sparse = parsePaxSparse(records);
  if (sparse === undefined) return wholeData(fields, [])!;
  if ('map' in sparse) return { ...checkMap(sparse.map, stored), left: stored };
  let taken = 0;
  const map = await readBodyMap(async () => {
    taken += BLOCK;
    if (taken > HEADER_LIMIT || taken > Math.ceil(stored / BLOCK) * BLOCK)
      throw new TinyrunError('ARCHIVE', 'the map of a sparse file is damaged: it has no end');
    return await takeBlock(archive);
  });
  const left = stored - map.bytes;
  return { ...checkMap({ regions: map.regions, size: sparse.size }, left), left };
}

async function readGnuMap(archive: Archive, header: Uint8Array): Promise<Region[]> {
  let { regions, more } = parseGnuPairs(header, GNU_HEADER.pairs, GNU_HEADER.count);
  for (let taken = BLOCK; more; taken += BLOCK) {
    if (taken > HEADER_LIMIT)
      throw new TinyrunError('ARCHIVE', `the map of a sparse file is larger than ${HEADER_LIMIT} bytes`);
    const next = parseGnuPairs(await takeBlock(archive), GNU_EXTENSION.pairs, GNU_EXTENSION.count);
    regions = regions.concat(next.regions);
    more = next.more;
  }
  return regions;
}
