// What the headers of an entry say of it, put together: its block, and the pax records for it.

import { TinyrunError } from '../errors.ts';
import { type Block, TYPE } from './header.ts';
import { type ByteString, byteString, displayName } from './names.ts';
import { parseCount, parseTime, type Records, type Time, XATTR } from './pax.ts';

export type EntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

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

/** What is known of an entry; records change what its block says. */
export interface Fields {
  block: Block;
  type: EntryType;
  time: Time;
  /** Few files have some. */
  xattrs: Map<ByteString, Uint8Array> | undefined;
  /** Bytes of its body. */
  stored: number;
}

/** @throws TinyrunError ARCHIVE where there cannot be such a file */
export function fieldsOf(block: Block, records: Records): Fields {
  const type = types[block.type];
  if (type === undefined)
    throw new TinyrunError(
      'ARCHIVE',
      `${displayName(block.name)} is of an unknown type, ${JSON.stringify(block.type)}`,
    );
  const time = { seconds: block.mtime, nanoseconds: 0 };
  const fields: Fields = { block, type, time, xattrs: undefined, stored: 0 };
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

/** Later records win; an empty value takes back what an earlier one or the block says. */
function applyRecord(fields: Fields, key: ByteString, value: Uint8Array): void {
  const { block } = fields;
  if (key.startsWith(XATTR)) {
    const name = key.slice(XATTR.length);
    if (name === '' || name.includes('\0'))
      throw new TinyrunError('ARCHIVE', 'an extended attribute without a name');
    fields.xattrs ??= new Map();
    fields.xattrs.set(name, value);
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
