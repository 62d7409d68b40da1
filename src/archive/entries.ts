// A tar stream -> its entries, one after the other: headers put together from pax records, GNU's long names and maps of
// sparse files, and the bodies as streams. Formats: ustar, pax, GNU (old sparse files, base 256), v7, as libarchive's tar(5)
// describes them.
//
// Own code: of the packages for tar streams, tar-stream and tar make text of extended attributes (which breaks
// security.capability) and of names, know no sparse files, and put no bound on the size of a header.

import { TinyrunError } from '../errors.ts';
import { BLOCK, type Block, decodeBlock, decodeNumber, isZero, TYPE } from './header.ts';
import { DEFAULT_LIMITS, HEADER_LIMIT, type Limits } from './limits.ts';
import { type ByteString, byteString, displayName } from './names.ts';
import { parseCount, parseRecords, parseTime, type Records, type Time, XATTR } from './pax.ts';
import { type Reader, readerOf } from './reader.ts';
import type { ByteSource } from './source.ts';
import {
  checkMap,
  GNU_EXTENSION,
  GNU_HEADER,
  parseGnuPairs,
  parsePaxSparse,
  type Region,
  readBodyMap,
} from './sparse.ts';

export type EntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface Entry {
  type: EntryType;
  /** As it stands in the archive. */
  name: ByteString;
  mode: number;
  uid: number;
  gid: number;
  mtime: Time;
  /** Target of a symlink; of a hard link, the name of an entry before. */
  link: ByteString;
  major: number;
  minor: number;
  xattrs: readonly (readonly [name: ByteString, value: Uint8Array])[];
  /** Bytes of the file, holes included. */
  size: number;
  /** Where the body's bytes lie in the file, in this order. */
  regions: readonly Region[];
  /** The next bytes of the body, at most so many; undefined: that was all. */
  read(most: number): Promise<Uint8Array | undefined>;
  /** The same if they are there; undefined: `read` may wait for them. */
  readNow(most: number): Uint8Array | undefined;
  /** The body as it is stored: a file with holes without them. */
  body: ByteSource;
}

export interface ReadOptions {
  limits?: Partial<Limits> | undefined;
  /** Is told all bytes that are no file's contents, in order: headers, padding, the end. */
  onFrame?: ((bytes: Uint8Array) => void) | undefined;
  /**
   * It may end behind an entry, without padding and the blocks of zeros, as some archivers leave it. That looks like an
   * archive that was cut off: for those whose digest is known.
   */
  unterminated?: boolean | undefined;
}

const types: Readonly<Record<string, EntryType>> = {
  [TYPE.file]: 'file',
  [TYPE.contiguous]: 'file',
  [TYPE.gnuSparse]: 'file',
  [TYPE.link]: 'link',
  [TYPE.symlink]: 'symlink',
  [TYPE.character]: 'character',
  [TYPE.block]: 'block',
  [TYPE.directory]: 'directory',
  [TYPE.fifo]: 'fifo',
};

/** Of blocks that are about the entry behind them. */
const headerTypes: ReadonlySet<string> = new Set([
  TYPE.pax,
  TYPE.paxGlobal,
  TYPE.gnuName,
  TYPE.gnuLink,
  TYPE.gnuVolume,
]);
const NOTHING: Records = [];

const cutOff = (): TinyrunError => new TinyrunError('ARCHIVE', 'the archive is cut off');

interface Archive {
  reader: Reader;
  limits: Limits;
  onFrame: (bytes: Uint8Array) => void;
  unterminated: boolean;
  /** Records that hold for all entries behind. */
  globals: Map<ByteString, Uint8Array>;
  /** What is left of the last entry's body, and the zeros behind it. */
  body: { left: number; padding: number };
}

/**
 * Reads an archive; what is not read of a body is skipped when the next entry is asked for.
 * @param source uncompressed (compress.ts)
 * @throws TinyrunError ARCHIVE, naming the entry: damaged, cut off, beyond the limits, of an unknown type
 */
export async function* readEntries(source: ByteSource, options: ReadOptions = {}): AsyncGenerator<Entry> {
  const archive: Archive = {
    reader: readerOf(source),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    onFrame: options.onFrame ?? (() => {}),
    unterminated: options.unterminated ?? false,
    globals: new Map(),
    body: { left: 0, padding: 0 },
  };
  let name: ByteString = '';
  let count = 0;
  try {
    for (;;) {
      const entry = await nextEntry(archive);
      if (entry === undefined) break;
      name = entry.name;
      count++;
      if (count > archive.limits.entries)
        throw new TinyrunError('ARCHIVE', `it has more than ${archive.limits.entries} entries`);
      yield entry;
      if (!skipPadding(archive)) await skipBody(archive, entry);
    }
    for (let rest = await archive.reader.some(BLOCK * 128); rest !== undefined; ) {
      checkBytes(archive);
      archive.onFrame(rest);
      rest = await archive.reader.some(BLOCK * 128);
    }
  } catch (error) {
    if (!(error instanceof TinyrunError) || error.code !== 'ARCHIVE' || 'entry' in error.data) throw error;
    const place = count === 0 ? 'at its beginning' : `at or behind entry ${count}, ${displayName(name)}`;
    throw new TinyrunError('ARCHIVE', `read the archive, ${place}: ${error.message}`, {
      ...(count === 0 && { hint: 'is it a tar archive, plain or compressed by gzip or zstd?' }),
      data: { entry: count },
    });
  } finally {
    await archive.reader.close();
  }
}

function checkBytes({ reader, limits }: Archive): void {
  if (reader.offset > limits.bytes)
    throw new TinyrunError('ARCHIVE', `it is larger than ${limits.bytes} bytes`);
}

/** A block of headers. */
async function takeBlock(archive: Archive): Promise<Uint8Array> {
  return checkBlock(archive, await archive.reader.take(BLOCK));
}

function checkBlock(archive: Archive, block: Uint8Array): Uint8Array {
  checkBytes(archive);
  if (block.length < BLOCK) throw cutOff();
  archive.onFrame(block);
  return block;
}

/** The payload of an extended header, and its padding. */
async function takePayload(archive: Archive, size: number): Promise<Uint8Array> {
  const padded = Math.ceil(size / BLOCK) * BLOCK;
  const payload = await archive.reader.take(padded);
  checkBytes(archive);
  if (payload.length < padded) throw cutOff();
  archive.onFrame(payload);
  return payload.slice(0, size);
}

/** Headers up to the one of an entry, which they belong to. */
async function nextEntry(archive: Archive): Promise<Entry | undefined> {
  let records = NOTHING;
  let longName: ByteString | undefined;
  let longLink: ByteString | undefined;
  let headers = 0;
  for (;;) {
    if (headers === 0 && archive.unterminated && (await archive.reader.atEnd())) return undefined;
    const there = archive.reader.takeNow(BLOCK);
    const bytes = there === undefined ? await takeBlock(archive) : checkBlock(archive, there);
    if (isZero(bytes)) return undefined;
    const block = decodeBlock(bytes);
    if (headerTypes.has(block.type)) {
      headers += BLOCK + block.size;
      if (block.size < 0 || headers > HEADER_LIMIT)
        throw new TinyrunError('ARCHIVE', `its headers of ${headers} bytes are larger than ${HEADER_LIMIT}`);
      const payload = await takePayload(archive, block.size);
      if (block.type === TYPE.pax) records = [...records, ...parseRecords(payload)];
      else if (block.type === TYPE.paxGlobal) setGlobals(archive, parseRecords(payload));
      else if (block.type === TYPE.gnuName) longName = byteString(payload);
      else if (block.type === TYPE.gnuLink) longLink = byteString(payload);
      continue;
    }
    if (longName !== undefined) block.name = longName;
    if (longLink !== undefined) block.link = longLink;
    if (archive.globals.size > 0) records = [...archive.globals, ...records];
    // `bytes` may be gone once more is read.
    const fields = fieldsOf(block, records);
    const header = block.type === TYPE.gnuSparse ? bytes.slice() : bytes;
    const data = wholeData(fields, records) ?? (await findData(archive, header, fields, records));
    return toEntry(archive, fields, data);
  }
}

/** Each costs time for every entry behind. */
const MOST_GLOBALS = 64;
const KNOWN = /^(path|linkpath|size|uid|gid|mtime|SCHILY\.xattr\..*)$/;

/** What holds for all entries from here on; most archives have only a comment, which means nothing here. */
function setGlobals(archive: Archive, records: Records): void {
  for (const [key, value] of records)
    if (value.length === 0) archive.globals.delete(key);
    else if (KNOWN.test(key)) archive.globals.set(key, value);
  if (archive.globals.size > MOST_GLOBALS)
    throw new TinyrunError('ARCHIVE', `it has more than ${MOST_GLOBALS} global records`);
}

/** What is known of an entry; records change what its block says. */
interface Fields {
  block: Block;
  type: EntryType;
  time: Time;
  xattrs: Map<ByteString, Uint8Array>;
  /** Bytes of its body. */
  stored: number;
}

function fieldsOf(block: Block, records: Records): Fields {
  const type = types[block.type];
  if (type === undefined)
    throw new TinyrunError(
      'ARCHIVE',
      `${displayName(block.name)} is of an unknown type, ${JSON.stringify(block.type)}`,
    );
  const time = { seconds: block.mtime, nanoseconds: 0 };
  const fields: Fields = { block, type, time, xattrs: new Map(), stored: 0 };
  for (const [key, value] of records) applyRecord(fields, key, value);
  // 2^32-1 means "no change" to chown(2).
  for (const id of ['uid', 'gid'] as const)
    if (block[id] < 0 || block[id] >= 0xffff_ffff)
      throw new TinyrunError(
        'ARCHIVE',
        `${displayName(block.name)} has a ${id} that Linux has not: ${block[id]}`,
      );
  if (block.size < 0) throw new TinyrunError('ARCHIVE', `${displayName(block.name)} has a negative size`);
  // The oldest form has no type for directories; some write a size where there is no body.
  if (block.type === TYPE.file && block.name.endsWith('/')) fields.type = 'directory';
  else if (type === 'file') fields.stored = block.size;
  return fields;
}

function toEntry(
  archive: Archive,
  { block, type, time, xattrs }: Fields,
  { regions, size, left }: Data,
): Entry {
  const { read, readNow } = readBody(archive, left);
  return {
    type,
    name: block.name,
    mode: block.mode,
    uid: block.uid,
    gid: block.gid,
    mtime: time,
    link: block.link,
    major: block.major,
    minor: block.minor,
    xattrs: [...xattrs],
    size,
    regions,
    read,
    readNow,
    get body() {
      return chunksOf(read);
    },
  };
}

/** Later records win; an empty value takes back what an earlier one or the block says. */
function applyRecord(fields: Fields, key: ByteString, value: Uint8Array): void {
  const { block, xattrs } = fields;
  if (key.startsWith(XATTR)) {
    const name = key.slice(XATTR.length);
    if (name === '' || name.includes('\0'))
      throw new TinyrunError('ARCHIVE', 'an extended attribute without a name');
    xattrs.set(name, value);
  } else if (value.length > 0) {
    if (key === 'path' || key === 'GNU.sparse.name') block.name = pathOf(value, key);
    else if (key === 'linkpath') block.link = pathOf(value, key);
    else if (key === 'size' || key === 'uid' || key === 'gid') block[key] = parseCount(value, key);
    else if (key === 'mtime') fields.time = parseTime(value, key);
  }
}

function pathOf(value: Uint8Array, key: string): ByteString {
  if (value.includes(0)) throw new TinyrunError('ARCHIVE', `a pax header is damaged: ${key} has a NUL in it`);
  return byteString(value);
}

/** Where the bytes of a file lie in it, and how many of them there are still in the archive. */
interface Data {
  regions: readonly Region[];
  size: number;
  left: number;
}

/** Of a file without holes, as are nearly all; undefined: it may have some. */
function wholeData({ block, stored }: Fields, records: Records): Data | undefined {
  if (block.type === TYPE.gnuSparse || (block.type === TYPE.file && records.length > 0)) return undefined;
  return { regions: stored === 0 ? [] : [{ offset: 0, length: stored }], size: stored, left: stored };
}

async function findData(
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
  if (sparse === undefined) return wholeData(fields, NOTHING)!;
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

/** The body's bytes, then its padding, which is no content. */
function readBody(archive: Archive, stored: number): Pick<Entry, 'read' | 'readNow'> {
  const body = { left: stored, padding: (BLOCK - (stored % BLOCK)) % BLOCK };
  archive.body = body;
  const taken = (bytes: Uint8Array): Uint8Array => {
    checkBytes(archive);
    body.left -= bytes.length;
    return bytes;
  };
  return {
    readNow(most) {
      const bytes = body.left === 0 ? undefined : archive.reader.someNow(Math.min(body.left, most));
      return bytes === undefined ? undefined : taken(bytes);
    },
    async read(most) {
      if (body.left > 0) {
        const bytes = await archive.reader.some(Math.min(body.left, most));
        if (bytes === undefined) throw cutOff();
        return taken(bytes);
      }
      if (body.padding > 0) {
        const bytes = await archive.reader.take(body.padding);
        if (bytes.length < body.padding && !archive.unterminated) throw cutOff();
        body.padding = 0;
        archive.onFrame(bytes);
      }
      return undefined;
    },
  };
}

/** Where nothing is left of a body, and its padding is there: returns whether that is so. */
function skipPadding({ body, reader, onFrame }: Archive): boolean {
  if (body.left > 0) return false;
  if (body.padding === 0) return true;
  const bytes = reader.takeNow(body.padding);
  if (bytes === undefined) return false;
  body.padding = 0;
  onFrame(bytes);
  return true;
}

async function* chunksOf(read: Entry['read']): ByteSource {
  for (let bytes = await read(2 ** 20); bytes !== undefined; bytes = await read(2 ** 20)) yield bytes;
}

/** What its reader left of a body belongs to the frame. */
async function skipBody(archive: Archive, entry: Entry): Promise<void> {
  for (let bytes = await entry.read(2 ** 20); bytes !== undefined; bytes = await entry.read(2 ** 20))
    archive.onFrame(bytes);
}
