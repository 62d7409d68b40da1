// Names inside archives. They are bytes, in no encoding that anybody checks, and so is a path for the kernel. Here they are
// strings of a character a byte (latin1): these can be compared, split and used as keys, and nothing is lost. Only
// displayName makes text of them, for people.

import { TinyrunError } from '../errors.ts';

/** A path or name: each character is a byte. */
export type ByteString = string;

/** What can be passed to the kernel at once, with its NUL: PATH_MAX of <linux/limits.h>. */
const PATH_MAX = 4096;

/** As the kernel takes it: NUL-terminated. */
export const pathBytes = (path: ByteString): Uint8Array => Buffer.from(`${path}\0`, 'latin1');

/** The bytes alone. */
export const rawBytes = (text: ByteString): Uint8Array => Buffer.from(text, 'latin1');

/** Bytes of an archive or of the kernel; what follows a NUL does not count. */
export const byteString = (bytes: Uint8Array): ByteString => byteStringAt(bytes, 0, bytes.length);

/** The same of a part of them. */
export function byteStringAt(bytes: Uint8Array, at: number, length: number): ByteString {
  const nul = bytes.indexOf(0, at);
  const used = nul < 0 ? length : Math.min(nul - at, length);
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, used).toString('latin1');
}

/** Of text, as of a configuration or a command line. */
export const fromText = (text: string): ByteString => Buffer.from(text, 'utf8').toString('latin1');

/** For messages and lists: UTF-8 where it is that. */
export const displayName = (path: ByteString): string =>
  // A string of ASCII is its own UTF-8.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  /^[\x00-\x7f]*$/.test(path) ? path : Buffer.from(path, 'latin1').toString('utf8');

/**
 * The path that an entry's name stands for: without `.`, empty parts and slashes around. The root is the empty path.
 * A leading slash means the root of the tree, as for tar(1) and Docker.
 * @throws TinyrunError ARCHIVE: it has a part `..`, or is longer than the kernel takes
 */
export function entryPath(name: ByteString): ByteString {
  if (name.length >= PATH_MAX)
    throw new TinyrunError(
      'ARCHIVE',
      `the name of ${name.length} bytes is longer than Linux takes (${PATH_MAX - 1})`,
    );
  // Most, `a/b/c` or `./a/b/c`, are the path that they stand for.
  const path = name.startsWith('./') ? name.slice(2) : name;
  if (!/(^|\/)(\.{0,2})(\/|$)/.test(path)) return path;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new TinyrunError('ARCHIVE', 'the name has a part `..`, which leads out of the directory it is in');
  return parts.join('/');
}

/** The directory that a path is in (empty: the root) and its last part. */
export function splitPath(path: ByteString): { parent: ByteString; base: ByteString } {
  const slash = path.lastIndexOf('/');
  return slash < 0
    ? { parent: '', base: path }
    : { parent: path.slice(0, slash), base: path.slice(slash + 1) };
}

/** The path of a name in a directory; of the root's names, the name alone. */
export const joinPath = (parent: ByteString, base: ByteString): ByteString =>
  parent === '' ? base : `${parent}/${base}`;
