// The files of an image archive, by name, in any order: of an OCI layout in a directory, or of a tar, where the list of
// what is in it may come last. A tar is looked through once; then its members are read where they lie. One that cannot be
// read twice (a pipe, or compressed) is first written to a file without a name, which goes with the process.

import { close, flag, openat2, SystemError, syscall, writeAll } from '../../native-bindings/libc.ts';
import { readEntries } from '../archive/entries.ts';
import { type ByteSource, type Range, readAll, watched } from '../archive/source.ts';
import { type Stored, sourceOfStored } from '../archive/stored.ts';
import { AT_FDCWD, DIRECTORY } from '../disk/files.ts';
import { S_IFREG, statInode } from '../disk/inode.ts';
import { openUnnamed } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { errnoWords } from '../sys/errno.ts';

export interface Blobs {
  /** How messages call the archive. */
  name: string;
  /** Bytes of a file; undefined where there is none of this name. */
  size(path: string): number | undefined;
  /**
   * Where its contents are; whoever asks, closes it.
   * @throws TinyrunError ARCHIVE where there is none; SystemError
   */
  open(path: string): Blob;
  close(): void;
}

/** The contents of a file of an archive. */
export interface Blob extends Stored {
  range: Range;
  close(): void;
}

const missing = (name: string, path: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `${name}: ${path} is missing`);

/**
 * Reads a small file of an archive.
 * @throws TinyrunError ARCHIVE where it is missing, or has more bytes than `limit`
 */
export async function readBlob(blobs: Blobs, path: string, limit: number): Promise<Uint8Array> {
  const tooLong = (): Error =>
    new TinyrunError('ARCHIVE', `${blobs.name}: ${path} has more than ${limit} bytes`);
  const blob = blobs.open(path);
  try {
    return await readAll(sourceOfStored(blob), limit, tooLong);
  } finally {
    blob.close();
  }
}

const BELOW = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS', 'RESOLVE_NO_MAGICLINKS');
const READ = flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC');

/**
 * The files of a directory. No symlink in it is followed, and nothing but files is opened.
 * @throws SystemError
 */
export function openDirectoryBlobs(path: string): Blobs {
  const directory = syscall(`open directory ${path}`, 'openat', AT_FDCWD, path, DIRECTORY, 0);
  /** A file, open; undefined where there is none. */
  const openFile = (name: string): Blob | undefined => {
    try {
      const fd = openat2(directory, name, READ, BELOW);
      const { type, size } = statInode(fd, `look at ${path}/${name}`);
      const range = { offset: 0, size };
      if (type === S_IFREG) return { fd, name: `${path}/${name}`, range, close: () => close(fd) };
      close(fd);
    } catch (error) {
      if (!(error instanceof SystemError) || !['ENOENT', 'ENOTDIR'].includes(error.errno)) throw error;
    }
    return undefined;
  };
  return {
    name: path,
    size(name) {
      const blob = openFile(name);
      blob?.close();
      return blob?.range.size;
    },
    open(name) {
      const blob = openFile(name);
      if (blob === undefined) throw missing(path, name);
      return blob;
    },
    close: () => close(directory),
  };
}

/** A member of a tar: where its bytes are, or which other member it stands for. */
type Member = Range | { link: string };

/** An image archive has few members, whatever its layers have. */
const MOST_MEMBERS = 100_000;
/** Links from one member to another, one behind the other. */
const MOST_LINKS = 8;

/**
 * The members of a tar in a file.
 * @param fd of a file that can be read at any place; closed by `close`
 * @param source its contents from the beginning: that may be what fills the file just now
 * @throws TinyrunError ARCHIVE where it is damaged
 */
export async function openArchiveBlobs(fd: number, source: ByteSource, name: string): Promise<Blobs> {
  const members = await readMembers(source);
  const find = (path: string) => findMember(members, path);
  return {
    name,
    size: (path) => find(path)?.size,
    open(path) {
      const range = find(path);
      if (range === undefined) throw missing(name, path);
      return { fd, name, range, close() {} };
    },
    close: () => close(fd),
  };
}

async function readMembers(source: ByteSource): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  let offset = 0; // what is not read of a body is told as part of the frame, too
  const onFrame = (bytes: Uint8Array): void => {
    offset += bytes.length;
  };
  for await (const entry of readEntries(source, { onFrame, limits: { entries: MOST_MEMBERS } })) {
    const path = cleanName(entry.name);
    const whole = entry.regions.length === 0 || entry.regions[0]!.length === entry.size;
    if (entry.type === 'file' && whole) members.set(path, { offset, size: entry.size });
    else if (entry.type === 'link') members.set(path, { link: cleanName(entry.link) });
    else if (entry.type === 'symlink')
      members.set(path, { link: cleanName(`${path.slice(0, path.lastIndexOf('/') + 1)}${entry.link}`) });
  }
  return members;
}

/** A name without `.`, `..` and empty parts: only a key, never a path of the host. */
export function cleanName(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function findMember(members: ReadonlyMap<string, Member>, path: string): Range | undefined {
  let member = members.get(cleanName(path));
  for (let i = 0; i < MOST_LINKS && member !== undefined && 'link' in member; i++)
    member = members.get(member.link);
  return member === undefined || 'link' in member ? undefined : member;
}

/**
 * The members of a tar that comes as a stream.
 * @param directory on the filesystem that its bytes are written to, as long as they are wanted
 * @throws TinyrunError ARCHIVE; HOST where its bytes cannot be kept, as on a full disk
 */
export async function spoolArchiveBlobs(directory: string, source: ByteSource, name: string): Promise<Blobs> {
  const fd = openUnnamed(directory);
  const keep = (chunk: Uint8Array): void => {
    try {
      writeAll(fd, chunk);
    } catch (error) {
      throw error instanceof SystemError ? unkept(name, directory, error) : error;
    }
  };
  try {
    return await openArchiveBlobs(fd, watched(source, keep), name);
  } catch (error) {
    close(fd);
    throw error;
  }
}

const unkept = (name: string, directory: string, { errno }: SystemError): TinyrunError =>
  new TinyrunError(
    'HOST',
    `keep ${name} in ${directory} while it is imported: ${errno} ${errnoWords[errno]}`,
    {
      hint: 'an archive in a file, not compressed, is read where it is',
    },
  );
