// Archives for tests: made entry by entry, as no archiver would make them, and directories to unpack them into.

import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { END, encodeHeader, type Fields } from '../../src/archive/encode.ts';
import { type PackOptions, packTree } from '../../src/archive/pack.ts';
import { type ByteSource, sourceOfBytes } from '../../src/archive/source.ts';
import { unpackTar } from '../../src/archive/unpack.ts';
import type { UnpackOptions, UnpackResult } from '../../src/archive/unpack-options.ts';

/** An entry; `data` is its body, as it is stored. */
export type Made = Partial<Fields> & { name: string; data?: string | Uint8Array };

const DEFAULTS = {
  type: 'file',
  ...{ mode: 0o644, uid: 0, gid: 0, size: 0, link: '', major: 0, minor: 0, xattrs: [] },
  mtime: { seconds: 1_000_000_000, nanoseconds: 0 },
} as const;

/** The blocks of one entry. */
export function makeEntry({ data = '', ...fields }: Made): Uint8Array {
  const body = typeof data === 'string' ? Buffer.from(data) : data;
  const { header } = encodeHeader({ ...DEFAULTS, size: body.length, ...fields });
  return Buffer.concat([header, body, new Uint8Array((512 - (body.length % 512)) % 512)]);
}

/** A whole archive. Names are bytes, a character each. */
export const makeTar = (...entries: readonly Made[]): Uint8Array =>
  Buffer.concat([...entries.map(makeEntry), END]);

/** A source that gives so many bytes at once. */
export function inPieces(bytes: Uint8Array, length: number): ByteSource {
  const count = Math.ceil(bytes.length / length);
  return sourceOfBytes(
    ...Array.from({ length: count }, (_, i) => bytes.subarray(i * length, (i + 1) * length)),
  );
}

/** An empty folder, with `root` in it to unpack into; gone afterwards. */
export async function withRoot(
  use: (root: string, top: string) => void | Promise<void>,
  where = '/tmp',
): Promise<void> {
  const top = mkdtempSync(`${where}/tinyrun-archive-`);
  mkdirSync(`${top}/root`);
  try {
    await use(`${top}/root`, top);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

/** unpackTar into a directory by path. */
export async function unpack(
  root: string,
  tar: Uint8Array | ByteSource,
  options: Partial<UnpackOptions> = {},
): Promise<UnpackResult> {
  const fd = openSync(root, 'r');
  try {
    const source = tar instanceof Uint8Array ? sourceOfBytes(tar) : tar;
    return await unpackTar(fd, source, { whiteouts: 'plain', ...options });
  } finally {
    closeSync(fd);
  }
}

/** packTree of a directory by path, all at once. */
export async function pack(root: string, options: Partial<PackOptions> = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const fd = openSync(root, 'r');
  try {
    const sink = { write: (bytes: Uint8Array) => void chunks.push(bytes.slice()) };
    await packTree(fd, sink, { whiteouts: 'plain', ...options });
  } finally {
    closeSync(fd);
  }
  return Buffer.concat(chunks);
}

/** The message of what was thrown; fails where nothing was. */
export async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}
