// A tar stream -> its entries, one after the other: headers put together from pax records, GNU's long names and maps of
// sparse files, and the bodies as streams. Formats: ustar, pax, GNU (old sparse files, base 256), v7, as libarchive's tar(5)
// describes them.
//
// Own code: of the packages for tar streams, tar-stream and tar make text of extended attributes (which breaks
// security.capability) and of names, know no sparse files, and put no bound on the size of a header.

import { TinyrunError } from '../errors.ts';
import { type Archive, checkBlock, checkBytes, cutOff, takeBlock, takePayload } from './blocks.ts';
import { type Data, findData, wholeData } from './data.ts';
import { type EntryType, type Fields, fieldsOf } from './fields.ts';
import { BLOCK, decodeBlock, isZero, TYPE } from './header.ts';
import { DEFAULT_LIMITS, HEADER_LIMIT, type Limits } from './limits.ts';
import { type ByteString, byteString, displayName } from './names.ts';
import { parseRecords, type Records, type Time } from './pax.ts';
import { readerOf } from './reader.ts';
import type { ByteSource } from './source.ts';
import type { Region } from './sparse.ts';

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
  /** All of a body that has not been read, if it is there; undefined: it comes in pieces, by `read`. */
  readWholeNow(): Uint8Array | undefined;
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

/** Of blocks that are about the entry behind them. */
const headerTypes: ReadonlySet<string> = new Set([
  TYPE.pax,
  TYPE.paxGlobal,
  TYPE.gnuName,
  TYPE.gnuLink,
  TYPE.gnuVolume,
]);
const NOTHING: Records = [];

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
    const hint = count === 0 ? 'is it a tar archive, plain or compressed by gzip or zstd?' : error.hint;
    throw new TinyrunError('ARCHIVE', `read the archive, ${place}: ${error.message}`, {
      hint,
      data: { entry: count },
    });
  } finally {
    await archive.reader.close();
  }
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

const NONE: Entry['xattrs'] = [];

function toEntry(
  archive: Archive,
  { block, type, time, xattrs }: Fields,
  { regions, size, left }: Data,
): Entry {
  const { read, readNow, readWholeNow } = readBody(archive, left);
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
    xattrs: xattrs === undefined ? NONE : [...xattrs],
    size,
    regions,
    read,
    readNow,
    readWholeNow,
  };
}

/** The body's bytes, then its padding, which is no content. */
function readBody(archive: Archive, stored: number): Pick<Entry, 'read' | 'readNow' | 'readWholeNow'> {
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
    readWholeNow() {
      const bytes = archive.reader.takeNow(body.left);
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

/** What its reader left of a body belongs to the frame. */
async function skipBody(archive: Archive, entry: Entry): Promise<void> {
  for (let bytes = await entry.read(2 ** 20); bytes !== undefined; bytes = await entry.read(2 ** 20))
    archive.onFrame(bytes);
}
