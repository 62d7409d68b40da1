// A tar stream, block by block: bounded, and with an ear for who wants all that is no content.

import { TinyrunError } from '../errors.ts';
import { BLOCK } from './header.ts';
import type { Limits } from './limits.ts';
import type { ByteString } from './names.ts';
import type { Reader } from './reader.ts';

/** An archive that is being read. */
export interface Archive {
  reader: Reader;
  limits: Limits;
  onFrame: (bytes: Uint8Array) => void;
  unterminated: boolean;
  /** Records that hold for all entries behind. */
  globals: Map<ByteString, Uint8Array>;
  /** What is left of the last entry's body, and the zeros behind it. */
  body: { left: number; padding: number };
}

/** What to do about an archive that is not all there. */
export const WHOLE = { hint: 'get the archive again, whole' };

export const cutOff = (): TinyrunError => new TinyrunError('ARCHIVE', 'the archive is cut off', WHOLE);

/** @throws TinyrunError ARCHIVE behind the limit */
export function checkBytes({ reader, limits }: Archive): void {
  if (reader.offset > limits.bytes)
    throw new TinyrunError('ARCHIVE', `it is larger than ${limits.bytes} bytes`);
}

/** A block of headers. */
export async function takeBlock(archive: Archive): Promise<Uint8Array> {
  return checkBlock(archive, await archive.reader.take(BLOCK));
}

/** The same of one that is there. */
export function checkBlock(archive: Archive, block: Uint8Array): Uint8Array {
  checkBytes(archive);
  if (block.length < BLOCK) throw cutOff();
  archive.onFrame(block);
  return block;
}

/** The payload of an extended header, and its padding. */
export async function takePayload(archive: Archive, size: number): Promise<Uint8Array> {
  const padded = Math.ceil(size / BLOCK) * BLOCK;
  const payload = await archive.reader.take(padded);
  checkBytes(archive);
  if (payload.length < padded) throw cutOff();
  archive.onFrame(payload);
  return payload.slice(0, size);
}
