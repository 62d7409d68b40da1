// A linked program and what must hold for it -> the bytes of a file that native-bindings/launch.c executes without
// JavaScript. Little endian; places are offsets from the start of the file:
//
//   0   magic "TLAUNCH2"
//   8   size of the file, flags (1: it runs in a child, which may leave it to JavaScript)
//   16  the invocation, its size: all that the launcher must find the same
//   24  the checks, their number: want, root, path, data, size of data; 32 bits each
//   32  the patches, their number: kind, place, size; 32 bits each
//   40  the image, its size; in front of it a zero byte, so that every text before it ends
//   48  the path of a file that starts with a number, zero
//
// What differs from call to call has a placeholder in the image, and in the checks: the launcher first puts in what it is
// this time. Then it only compares: it looks at each check's path, inside a root where one is given, and uses the program
// if it finds what is wanted everywhere.

import { PARAMETERS, type Parameter } from './prelude.ts';

/** The folder of the state root where the launcher looks for such files; with more than these it is emptied. */
export const PROGRAMS = { folder: '.programs', most: 256 };

/** What is looked at again before the program is used. */
export interface Check {
  /**
   * `missing`: nothing is there, nor, inside a root, any symlink on the way; `plain`: something is, and there is no symlink
   * on the way either. `file`: anything but a directory.
   * `contents`: a file with exactly these bytes; `ending`: one that ends with them; `lines`: one whose lines with a text in
   * them are these. The text stands in front, and ends with a NUL.
   */
  want: 'missing' | 'plain' | 'directory' | 'file' | 'contents' | 'ending' | 'lines';
  /** Directory that the path is resolved in, symlinks included; undefined: it is absolute. */
  root?: string;
  path: string;
  contents?: Uint8Array;
}

/**
 * What is put in: a parameter of the command line; an id that nobody has given; the time as `toISOString` gives it, or
 * without its milliseconds; the number that a file starts with, as ten digits of a path.
 */
export type Patched = Parameter | 'new id' | 'milliseconds' | 'seconds' | 'number';

/** Where something is put in: a text of at most `size` bytes; what it leaves of them is filled with NULs. */
export interface Placeholder {
  kind: Patched;
  /** What stands there in the file. */
  text: string;
}

export interface LaunchFile {
  invocation: Uint8Array;
  checks: readonly Check[];
  placeholders: readonly Placeholder[];
  /** Path of a file that starts with a number of eight bytes, which `number` stands for. */
  numberFile?: string;
  /** It runs in a child; exit code 75 leaves the command to JavaScript. */
  inChild?: boolean;
  image: Uint8Array;
}

// Keep in sync with native-bindings/launch.c.
const MAGIC = 0x3248434e55414c54n;
const HEADER = 56;
const CHECK = 20;
const PATCH = 12;
const CHILD = 1;
const wants: Readonly<Record<Check['want'], number>> = {
  missing: 0,
  plain: 1,
  directory: 2,
  file: 3,
  contents: 4,
  ending: 5,
  lines: 6,
};
/** In the order in which they are put in: the number is in a file that a parameter may name. */
const kinds: readonly Patched[] = [...PARAMETERS, 'new id', 'milliseconds', 'seconds', 'number'];
const utf8 = new TextEncoder();

/** Returns the bytes of the file. */
export function encodeLaunchFile(file: LaunchFile): Uint8Array {
  const { invocation, checks, placeholders, numberFile, image } = file;
  const parts: Uint8Array[] = [];
  let size = 0;
  const place = (bytes: Uint8Array): number => {
    parts.push(bytes, ZERO);
    size += bytes.length + 1;
    return size - bytes.length - 1;
  };
  const text = (value: string | undefined): number => (value === undefined ? 0 : place(utf8.encode(value)));
  place(invocation);
  const number = text(numberFile);
  const rows = checks.map(({ want, root, path, contents = ZERO.subarray(1) }) => {
    return {
      want: wants[want],
      root: text(root),
      path: text(path),
      data: place(contents),
      size: contents.length,
    };
  });
  const imageAt = size;
  const body = Buffer.concat([...parts, image]);
  const patches = placesOf(body.subarray(invocation.length), placeholders);

  const bodyAt = HEADER + CHECK * checks.length + PATCH * patches.length;
  const at = (offset: number): number => (offset === 0 ? 0 : bodyAt + offset);
  const words = [
    ...[bodyAt + body.length, file.inChild === true ? CHILD : 0],
    ...[bodyAt, invocation.length, HEADER, checks.length, HEADER + CHECK * checks.length, patches.length],
    ...[bodyAt + imageAt, image.length, at(number), 0],
    ...rows.flatMap(({ want, root, path, data, size }) => [want, at(root), at(path), bodyAt + data, size]),
    ...patches.flatMap((patch) => [patch.kind, bodyAt + invocation.length + patch.at, patch.size]),
  ];
  const bytes = new Uint8Array(bodyAt + body.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, MAGIC, true);
  words.forEach((word, i) => {
    view.setUint32(8 + 4 * i, word, true);
  });
  bytes.set(body, bodyAt);
  return bytes;
}

const ZERO = new Uint8Array(1);

/** All places of the placeholders, in the order in which they are filled. */
function placesOf(
  body: Buffer,
  placeholders: readonly Placeholder[],
): { kind: number; at: number; size: number }[] {
  const patches: { kind: number; at: number; size: number }[] = [];
  for (const { kind, text } of placeholders)
    for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + text.length))
      patches.push({ kind: kinds.indexOf(kind), at, size: text.length });
  return patches.sort((a, b) => a.kind - b.kind);
}

/** Puts a text of the same length in the place of each placeholder of an image, as the launcher would. */
export function fillIn(image: Uint8Array, placeholder: string, value: string): void {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
  for (let at = bytes.indexOf(placeholder); at >= 0; at = bytes.indexOf(placeholder, at + value.length))
    bytes.write(value, at, 'latin1');
}
