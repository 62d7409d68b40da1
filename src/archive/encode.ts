// An entry -> its header: one block where all fits into ustar, pax records before it where not (POSIX pax; extended
// attributes as star(1) writes them; sparse files as GNU tar's version 1.0). The same entry always gives the same bytes.

import { BLOCK, type Block, encodeBlock, largest, splitName, TYPE } from './header.ts';
import { type ByteString, rawBytes, splitPath } from './names.ts';
import { encodeRecords, formatTime, type Time, XATTR } from './pax.ts';
import { encodeBodyMap, type Region } from './sparse.ts';

/** What is written of a file; `name` of a directory ends with a slash. */
export interface Fields {
  name: ByteString;
  type: keyof typeof TYPE;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file, holes included. */
  size: number;
  mtime: Time;
  link: ByteString;
  major: number;
  minor: number;
  xattrs: readonly (readonly [name: ByteString, value: Uint8Array])[];
  /** Where its data is; undefined: everywhere. */
  regions?: readonly Region[] | undefined;
}

/** All that stands before the contents of a file, which are `stored` bytes. */
export function encodeHeader(fields: Fields): { header: Uint8Array; stored: number } {
  // GNU tar takes the end of the last region for the end of the file.
  const end = { offset: fields.size, length: 0 };
  const map = fields.regions === undefined ? undefined : encodeBodyMap([...fields.regions, end]);
  const stored = fields.regions?.reduce((sum, { length }) => sum + length, 0) ?? fields.size;
  const block: Block = {
    ...fields,
    name: map === undefined ? fields.name : sparseName(fields.name),
    type: TYPE[fields.type],
    size: stored + (map?.length ?? 0),
    mtime: fields.mtime.seconds,
  };
  const records = recordsOf(fields, block, map !== undefined);
  return {
    header: Buffer.concat([
      ...(records.length === 0 ? [] : paxHeader(records)),
      encodeBlock(block),
      ...(map === undefined ? [] : [map]),
    ]),
    stored,
  };
}

/** What a tar without sparse files makes of one: not a wrong file under the right name. */
function sparseName(name: ByteString): ByteString {
  const { parent, base } = splitPath(name);
  return `${parent === '' ? '' : `${parent}/`}GNUSparseFile.0/${base}`;
}

/** What does not fit into the block, by key. */
function recordsOf(fields: Fields, block: Block, sparse: boolean): [ByteString, Uint8Array][] {
  const records: [ByteString, Uint8Array][] = [];
  const add = (key: ByteString, value: ByteString | number): void => {
    records.push([key, rawBytes(String(value))]);
  };
  if (sparse) {
    add('GNU.sparse.major', 1);
    add('GNU.sparse.minor', 0);
    add('GNU.sparse.name', fields.name);
    add('GNU.sparse.realsize', fields.size);
  } else if (splitName(fields.name) === undefined) add('path', fields.name);
  for (const key of ['gid', 'size', 'uid'] as const) if (block[key] > largest(key)) add(key, block[key]);
  if (fields.link.length > 100) add('linkpath', fields.link);
  const { seconds, nanoseconds } = fields.mtime;
  if (nanoseconds !== 0 || seconds < 0 || seconds > largest('mtime')) add('mtime', formatTime(fields.mtime));
  for (const [name, value] of fields.xattrs) records.push([XATTR + name, value]);
  return records.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function paxHeader(records: readonly [ByteString, Uint8Array][]): Uint8Array[] {
  const payload = encodeRecords(records);
  const padding = (BLOCK - (payload.length % BLOCK)) % BLOCK;
  const block = encodeBlock({
    name: 'PaxHeaders.0',
    type: TYPE.pax,
    size: payload.length,
    ...{ mode: 0o644, uid: 0, gid: 0, mtime: 0, link: '', major: 0, minor: 0 },
  });
  return [block, payload, new Uint8Array(padding)];
}

/** Two blocks of zeros. */
export const END = new Uint8Array(2 * BLOCK);
