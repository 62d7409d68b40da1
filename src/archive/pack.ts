// A directory tree -> a tar stream, the same for the same tree: sorted, with times to the nanosecond, owners as numbers
// without names, hard links, extended attributes, devices, and files with holes as such.
//
// The tree may be in use. A file that shrinks while it is read is filled up with zeros, as its header has promised, and
// told to `onChanged`; one that disappears is left out.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { readLinkBytes } from '../disk/files.ts';
import { errno, type Inode, must, pathOf, S_IFDIR, S_IFLNK, S_IFREG } from '../disk/inode.ts';
import { expectLongWork } from '../disk/long-work.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import { readXattrs } from './attributes.ts';
import { END, encodeHeader, type Fields } from './encode.ts';
import { BLOCK } from './header.ts';
import { type ByteString, byteString, displayName, joinPath, splitPath } from './names.ts';
import { type Output, outputTo, putRegion } from './output.ts';
import type { ByteSink } from './source.ts';
import type { Region } from './sparse.ts';
import { type Found, walkTree } from './walk.ts';
import { isOpaque, isWhiteout, OPAQUE, PREFIX } from './whiteouts.ts';

export interface PackOptions {
  /** Overlayfs's whiteouts become names `.wh.*`, or all files are taken as they are. */
  whiteouts: 'aufs' | 'plain';
  /** In front of every name, with a slash between. */
  prefix?: ByteString | undefined;
  /** Names in the root; undefined: all, and the root itself as `./`. */
  include?: readonly ByteString[] | undefined;
  /** Another name in the archive; undefined: it is left out, but not what is in it. */
  rename?: ((path: ByteString) => ByteString | undefined) | undefined;
  /** Whether what is in a directory is packed, too; undefined: always. */
  enters?: ((directory: Found) => boolean) | undefined;
  /** A file changed while it was read. */
  onChanged?: ((name: string) => void) | undefined;
}

export interface PackResult {
  /** Of the archive. */
  bytes: number;
  entries: number;
}

/** An archive that is being written. */
interface Pack {
  out: Output;
  options: PackOptions;
  entries: number;
  /** By identity, the name of the first of several links. */
  links: Map<string, ByteString>;
}

const AT_FDCWD = flag('AT_FDCWD');
const READ = flag('O_RDONLY', 'O_NONBLOCK', 'O_CLOEXEC');
const [SEEK_DATA, SEEK_HOLE] = [flag('SEEK_DATA'), flag('SEEK_HOLE')];

/**
 * Packs a tree.
 * @param root fd of its top
 * @param sink gets the archive, uncompressed
 * @throws SystemError naming what cannot be read; TinyrunError ARCHIVE where a file has a whiteout's name
 */
export async function packTree(root: number, sink: ByteSink, options: PackOptions): Promise<PackResult> {
  expectLongWork();
  const pack: Pack = { out: outputTo(sink), options, entries: 0, links: new Map() };
  for (const found of walkTree(root, options.include, options.enters)) {
    if (found.path === '' && options.include !== undefined) continue;
    const contents = packFile(pack, found);
    if (contents !== undefined) await putContents(pack, contents);
    if (pack.out.full) await pack.out.flush();
  }
  pack.out.put(END);
  await pack.out.flush();
  return { bytes: pack.out.bytes, entries: pack.entries };
}

/** Writes all of a file but its contents, if it has some: these are returned. Nobody waits for a header. */
function packFile(pack: Pack, { path, fd, inode }: Found): Contents | undefined {
  const { options } = pack;
  if (options.whiteouts === 'aufs') {
    const { parent, base } = splitPath(path);
    if (isWhiteout(inode)) {
      putEmpty(pack, joinPath(parent, PREFIX + base));
      return undefined;
    }
    if (base.startsWith(PREFIX))
      throw new TinyrunError('ARCHIVE', `pack ${displayName(path)}: this name would be a whiteout`, {
        hint: `files must not be called ${PREFIX}*`,
      });
  }
  const name = nameOf(options, path);
  const contents = name === undefined ? undefined : packEntry(pack, name, fd, inode);
  if (options.whiteouts === 'aufs' && inode.type === S_IFDIR && isOpaque(fd))
    putEmpty(pack, joinPath(path, OPAQUE));
  return contents;
}

function nameOf({ rename, prefix = '' }: PackOptions, path: ByteString): ByteString | undefined {
  const name = rename === undefined ? path : rename(path);
  if (name === undefined || prefix === '') return name;
  return name === '' ? prefix : `${prefix}/${name}`;
}

/** Whiteouts are empty files of root's. They have no time: nobody sees one, and a tree gives the same bytes each time. */
function putEmpty(pack: Pack, path: ByteString): void {
  const name = nameOf(pack.options, path);
  if (name === undefined) return;
  putHeader(pack, {
    ...NOTHING,
    name,
    type: 'file',
    mode: 0o600,
    mtime: { seconds: 0, nanoseconds: 0 },
  });
}

const NOTHING = { uid: 0, gid: 0, size: 0, link: '', major: 0, minor: 0, xattrs: [] } as const;

function putHeader(pack: Pack, fields: Fields): number {
  const { header, stored } = encodeHeader(fields);
  pack.out.put(header);
  pack.entries++;
  return stored;
}

/** <linux/stat.h>; a socket is of no use to anybody without its process, and tar has none. */
const types: Readonly<Record<number, Fields['type']>> = {
  [S_IFDIR]: 'directory',
  [S_IFREG]: 'file',
  [S_IFLNK]: 'symlink',
  [0o020000]: 'character',
  [0o060000]: 'block',
  [0o010000]: 'fifo',
};

function packEntry(pack: Pack, path: ByteString, fd: number, inode: Inode): Contents | undefined {
  const type = types[inode.type];
  if (type === undefined) return undefined;
  const what = `pack ${displayName(path) || '.'}`;
  const name = type !== 'directory' ? path : path === '' ? './' : `${path}/`;
  const { mode, uid, gid, mtime } = inode;
  const first = type !== 'directory' && inode.links > 1 ? pack.links.get(inode.identity) : undefined;
  if (first !== undefined) {
    putHeader(pack, { ...NOTHING, name, type: 'link', mode, uid, gid, mtime, link: first });
    return undefined;
  }
  if (inode.links > 1 && type !== 'directory') pack.links.set(inode.identity, name);
  const fields: Fields = { ...NOTHING, name, type, mode, uid, gid, mtime, xattrs: readXattrs(fd, what) };
  if (type === 'file' && inode.size > 0) return packContents(pack, fields, fd, inode, what);
  if (type === 'symlink') putHeader(pack, { ...fields, link: readLink(fd, what) });
  else putHeader(pack, { ...fields, ...deviceOf(type, inode.device) });
  return undefined;
}

function readLink(fd: number, what: string): ByteString {
  const target = readLinkBytes(fd, '', `${what}: read the symlink`);
  if (target === undefined) throw new SystemError(`${what}: read the symlink`, errnos['ENOENT']!);
  return byteString(target);
}

/** <linux/kdev_t.h>: new_decode_dev. */
const deviceOf = (type: Fields['type'], device: number): { major: number; minor: number } =>
  type === 'character' || type === 'block'
    ? { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) }
    : { major: 0, minor: 0 };

// Contents

/** What is to follow a header. */
interface Contents {
  /** Open for reading; to be closed. */
  fd: number;
  name: ByteString;
  regions: readonly Region[];
  /** Bytes that the header has promised. */
  stored: number;
  what: string;
}

/** Writes the header of a file that is not empty. */
function packContents(pack: Pack, fields: Fields, pin: number, inode: Inode, what: string): Contents {
  const { size } = inode;
  const fd = rawSyscall('openat', AT_FDCWD, pathOf(pin), READ, 0);
  if (fd < 0) throw new SystemError(`${what}: open it`, -fd);
  try {
    const whole: Region[] = [{ offset: 0, length: size }];
    const regions = inode.stored < size ? findRegions(fd, size, what) : whole;
    const holes = regions.length !== 1 || regions[0]!.length !== size;
    const stored = putHeader(pack, { ...fields, size, ...(holes ? { regions } : {}) });
    return { fd, name: fields.name, regions, stored, what };
  } catch (error) {
    close(fd);
    throw error;
  }
}

async function putContents(
  { out, options }: Pack,
  { fd, name, regions, stored, what }: Contents,
): Promise<void> {
  try {
    let changed = false;
    for (const region of regions) changed = !(await putRegion(out, fd, region, what)) || changed;
    out.put(new Uint8Array((BLOCK - (stored % BLOCK)) % BLOCK));
    if (changed) options.onChanged?.(displayName(name));
  } finally {
    close(fd);
  }
}

/** Where a file has data: lseek(2), "Seeking file data and holes". */
function findRegions(fd: number, size: number, what: string): Region[] {
  const regions: Region[] = [];
  for (let at = 0; at < size; ) {
    const start = rawSyscall('lseek', fd, at, SEEK_DATA);
    if (start === errno('ENXIO')) break; // nothing but a hole behind
    if (start === errno('EINVAL')) return [{ offset: 0, length: size }]; // a filesystem that does not know of holes
    if (must(start, what) >= size) break;
    const end = Math.min(must(rawSyscall('lseek', fd, start, SEEK_HOLE), what), size);
    if (end <= start) break;
    regions.push({ offset: start, length: end - start });
    at = end;
  }
  return regions;
}
