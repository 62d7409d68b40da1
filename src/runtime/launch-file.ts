// A linked program and what must hold for it -> the bytes of a file that native-bindings/launch.c executes without
// JavaScript. Little endian; places are offsets from the start of the file:
//
//   0   magic "TLAUNCH1"
//   8   size of the file, flags (1: it runs in a child, which may leave it to JavaScript)
//   16  the invocation, its size: all that the launcher must find the same
//   24  the checks, their number: want, root, path, data, size of data; 32 bits each
//   32  the patches, their number: kind, place in the image; 32 bits each
//   40  the image, its size; in front of it a zero byte, so that every text before it ends
//
// The launcher only compares. It looks at each check's path, inside a root where one is given, and uses the program if it
// finds what is wanted everywhere.

/** The folder of the state root where the launcher looks for such files; with more than these it is emptied. */
export const PROGRAMS = { folder: '.programs', most: 100 };

/** What is looked at again before the program is used. */
export interface Check {
  /**
   * `missing`: nothing is there, nor, inside a root, any symlink on the way; `plain`: something is, and there is no symlink
   * on the way either. `file`: anything but a directory.
   * `contents`: a file with exactly these bytes.
   */
  want: 'missing' | 'plain' | 'directory' | 'file' | 'contents';
  /** Directory that the path is resolved in, symlinks included; undefined: it is absolute. */
  root?: string;
  path: string;
  contents?: Uint8Array;
}

/** What is put into the image when it is used: a new id; the time as `toISOString` gives it; the id of the command line. */
export interface Patch {
  kind: 'new id' | 'milliseconds' | 'given id';
  /** Offset in the image. */
  at: number;
}

export interface LaunchFile {
  invocation: Uint8Array;
  checks: readonly Check[];
  patches: readonly Patch[];
  /** It runs in a child; exit code 75 leaves the command to JavaScript. */
  inChild?: boolean;
  image: Uint8Array;
}

// Keep in sync with native-bindings/launch.c.
const MAGIC = 0x3148434e55414c54n;
const HEADER = 48;
const CHECK = 20;
const PATCH = 8;
const CHILD = 1;
const wants: Readonly<Record<Check['want'], number>> = {
  missing: 0,
  plain: 1,
  directory: 2,
  file: 3,
  contents: 4,
};
const kinds: Readonly<Record<Patch['kind'], number>> = { 'new id': 0, milliseconds: 1, 'given id': 2 };
const utf8 = new TextEncoder();

/** Returns the bytes of the file. */
export function encodeLaunchFile(file: LaunchFile): Uint8Array {
  const { invocation, checks, patches, image } = file;
  const parts: { at: number; bytes: Uint8Array }[] = [];
  const checksAt = HEADER;
  const patchesAt = checksAt + CHECK * checks.length;
  let end = patchesAt + PATCH * patches.length;
  const place = (bytes: Uint8Array): number => {
    parts.push({ at: end, bytes });
    end += bytes.length + 1;
    return end - bytes.length - 1;
  };
  const text = (value: string | undefined): number => (value === undefined ? 0 : place(utf8.encode(value)));
  const invocationAt = place(invocation);
  const words = checks.flatMap(({ want, root, path, contents = new Uint8Array() }) => [
    ...[wants[want], text(root), text(path), place(contents), contents.length],
  ]);
  words.push(...patches.flatMap(({ kind, at }) => [kinds[kind], at]));

  const bytes = new Uint8Array(end + image.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, MAGIC, true);
  const header = [
    ...[bytes.length, file.inChild === true ? CHILD : 0],
    ...[invocationAt, invocation.length, checksAt, checks.length, patchesAt, patches.length],
    ...[end, image.length],
  ];
  [...header, ...words].forEach((word, i) => {
    view.setUint32(8 + 4 * i, word, true);
  });
  for (const part of parts) bytes.set(part.bytes, part.at);
  bytes.set(image, end);
  return bytes;
}

/** Where a text stands in the image. An id is random and a time has milliseconds: neither stands there by chance. */
export function patchesOf(image: Uint8Array, kind: Patch['kind'], value: string): Patch[] {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
  const patches: Patch[] = [];
  for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) patches.push({ kind, at });
  return patches;
}
