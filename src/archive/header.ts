// A header block of 512 bytes <-> its fields: tar(5), "POSIX ustar Archives", "GNU tar Archives"; POSIX pax, "ustar
// Interchange Format". What does not fit into a block is in the records of pax.ts.

import { TinyrunError } from '../errors.ts';
import { type ByteString, byteStringAt } from './names.ts';

export const BLOCK = 512;

/** The type flags that we know. */
export const TYPE = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  paxGlobal: 'g',
  pax: 'x',
  gnuName: 'L',
  gnuLink: 'K',
  gnuSparse: 'S',
  gnuVolume: 'V',
} as const;

/** The fields of one block, as they stand there. */
export interface Block {
  name: ByteString;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Seconds. */
  mtime: number;
  type: string;
  link: ByteString;
  major: number;
  minor: number;
}

/** offset and length of each field. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;
type FieldName = keyof typeof FIELD;

const POSIX_MAGIC = 'ustar\x0000';

const corrupt = (what: string): TinyrunError => new TinyrunError('ARCHIVE', `the header is damaged: ${what}`);

const field = (block: Uint8Array, name: FieldName): Uint8Array =>
  block.subarray(FIELD[name][0], FIELD[name][0] + FIELD[name][1]);
const textIn = (block: Uint8Array, name: FieldName): ByteString =>
  byteStringAt(block, FIELD[name][0], FIELD[name][1]);
const numberIn = (block: Uint8Array, name: FieldName): number =>
  decodeNumber(block, name, FIELD[name][0], FIELD[name][1]);

/** A block of zeros ends an archive. */
export function isZero(block: Uint8Array): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/**
 * Reads a header block.
 * @throws TinyrunError ARCHIVE where the checksum or a number is wrong
 */
export function decodeBlock(block: Uint8Array): Block {
  assertChecksum(block);
  const type = String.fromCharCode(block[FIELD.type[0]]!);
  const posix = block[257] === 0x75 && block[261] === 0x72 && block[262] === 0; // `ustar` NUL; GNU's ends with a space
  const device = type === TYPE.character || type === TYPE.block;
  return {
    name: posix ? withPrefix(block) : textIn(block, 'name'),
    mode: numberIn(block, 'mode') & 0o7777,
    uid: numberIn(block, 'uid'),
    gid: numberIn(block, 'gid'),
    size: numberIn(block, 'size'),
    mtime: numberIn(block, 'mtime'),
    type: type === '\0' ? TYPE.file : type,
    link: block[FIELD.link[0]] === 0 ? '' : textIn(block, 'link'),
    // Some archivers leave rubbish there for files that are no devices.
    major: device ? numberIn(block, 'major') : 0,
    minor: device ? numberIn(block, 'minor') : 0,
  };
}

function withPrefix(block: Uint8Array): ByteString {
  const name = textIn(block, 'name');
  if (block[FIELD.prefix[0]] === 0) return name;
  // star(1) keeps times behind a shorter prefix.
  const star = byteStringAt(block, 508, 4) === 'tar';
  const prefix = byteStringAt(block, FIELD.prefix[0], star ? 131 : FIELD.prefix[1]);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** The sum of all bytes, with the checksum itself taken as spaces. Some old archivers took bytes as signed. */
function assertChecksum(block: Uint8Array): void {
  const wanted = numberIn(block, 'checksum');
  const unsigned = sumOf(block);
  if (wanted === unsigned) return;
  if (wanted !== unsigned - 256 * highBytes(block))
    throw corrupt(`its checksum is ${unsigned}, not ${wanted} as it says`);
}

/** Four bytes at once, and two sums in each number: there is a block for every file, and little else is done for it. */
function sumOf(block: Uint8Array): number {
  const words = new DataView(block.buffer, block.byteOffset, BLOCK);
  let even = 0;
  let odd = 0;
  for (let i = 0; i < BLOCK; i += 4) {
    const word = words.getInt32(i, true);
    even += word & 0xff_00ff;
    odd += (word >>> 8) & 0xff_00ff;
  }
  let sum = (even & 0xffff) + (even >>> 16) + (odd & 0xffff) + (odd >>> 16);
  const [at, length] = FIELD.checksum;
  for (let i = at; i < at + length; i++) sum += 0x20 - block[i]!;
  return sum;
}

/** How many bytes, without the checksum's, are negative where they are signed. */
const highBytes = (block: Uint8Array): number =>
  block.reduce((count, byte, i) => count + (inChecksum(i) ? 0 : byte >> 7), 0);
const inChecksum = (i: number): boolean =>
  i >= FIELD.checksum[0] && i < FIELD.checksum[0] + FIELD.checksum[1];

/**
 * Octal digits, or GNU's base 256: the first bit set, then a big-endian number in two's complement.
 * @param what for the message
 * @param at where it begins, and its length: an archive has too many numbers for a view of each
 */
export function decodeNumber(bytes: Uint8Array, what: string, at = 0, length = bytes.length): number {
  if ((bytes[at]! & 0x80) !== 0) return decodeBase256(bytes.subarray(at, at + length), what);
  const end = at + length;
  let value = 0;
  let i = at;
  while (i < end && bytes[i] === 0x20) i++;
  for (; i < end && bytes[i] !== 0 && bytes[i] !== 0x20; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 7) throw corrupt(`${what} is no octal number`);
    value = value * 8 + digit;
  }
  return value;
}

function decodeBase256(bytes: Uint8Array, what: string): number {
  const negative = (bytes[0]! & 0x40) !== 0;
  let value = BigInt(bytes[0]! & 0x3f) - (negative ? 64n : 0n);
  for (const byte of bytes.subarray(1)) value = value * 256n + BigInt(byte);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw corrupt(`${what} is ${value}, beyond what a file can have`);
  return number;
}

/** The largest number that fits into a field's octal digits. */
export const largest = (name: 'mode' | 'uid' | 'gid' | 'size' | 'mtime'): number =>
  8 ** (FIELD[name][1] - 1) - 1;

/**
 * Writes a header block. What does not fit must be in pax records before it, and is cut or left out here.
 * @param fields numbers that are not too large are written in octal
 */
export function encodeBlock(fields: Block): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const { name, prefix } = splitName(fields.name) ?? { name: fields.name.slice(0, 100), prefix: '' };
  putText(block, 'name', name);
  putText(block, 'prefix', prefix);
  putText(block, 'link', fields.link.slice(0, 100));
  putText(block, 'magic', POSIX_MAGIC);
  putText(block, 'type', fields.type);
  for (const key of ['mode', 'uid', 'gid', 'size', 'mtime'] as const)
    putNumber(block, key, fields[key] >= 0 && fields[key] <= largest(key) ? fields[key] : 0);
  putNumber(block, 'major', fields.major);
  putNumber(block, 'minor', fields.minor);
  field(block, 'checksum').fill(0x20);
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += block[i]!;
  putText(block, 'checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** A name in the two fields that there are for it; undefined: it does not fit. */
export function splitName(name: ByteString): { name: ByteString; prefix: ByteString } | undefined {
  if (name.length <= FIELD.name[1]) return { name, prefix: '' };
  // The last slash that leaves enough in front, of those that leave little enough behind; none at the very end.
  const slash = name.lastIndexOf('/', FIELD.prefix[1]);
  const rest = name.slice(slash + 1);
  if (slash <= 0 || rest === '' || rest.length > FIELD.name[1]) return undefined;
  return { name: rest, prefix: name.slice(0, slash) };
}

function putText(block: Uint8Array, name: FieldName, text: ByteString): void {
  const at = FIELD[name][0];
  for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i);
}

const putNumber = (block: Uint8Array, name: FieldName, value: number): void =>
  putText(block, name, value.toString(8).padStart(FIELD[name][1] - 1, '0'));
