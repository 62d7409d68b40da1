// `cp`: files between a container and the host, as a stream of tar from one tree to the other. Both trees are open, and names
// are looked up below them (locate.ts); nothing that is found in a container is run, and no symlink of it is followed outside.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { fromText } from '../archive/names.ts';
import { type PackOptions, packTree } from '../archive/pack.ts';
import { connect } from '../archive/pipe.ts';
import type { ByteSink, ByteSource } from '../archive/source.ts';
import { unpackTar } from '../archive/unpack.ts';
import type { UnpackResult } from '../archive/unpack-options.ts';
import { DIRECTORY } from '../disk/files.ts';
import { must, type Owner, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { assertHasContents, assertTakesFiles, enterBelow, readOnly } from './copy-guards.ts';
import { type End, isContents, placeCopy } from './copy-rules.ts';
import { forget, type Located, locate } from './locate.ts';

/** One end of a copy: a path below a root that is open. */
export interface CopyEnd extends Omit<End, 'kind'> {
  root: number;
}

export interface CopyOptions {
  /** A symlink that is the source is followed. */
  followLink: boolean;
  /** Who owns the copies; undefined: who owns the files that are copied. */
  owner: Owner | undefined;
  /** Of what must not be in the source, why: a directory's identity (disk/inode.ts) -> words. */
  forbidden?: ReadonlyMap<string, string>;
  /** See UnpackOptions. */
  withoutRights?: ((device: string) => void) | undefined;
}

/** A path without what stands at its end to say that it is a directory. */
const bare = (path: string): string => path.replace(/(?<=.)(\/+\.?)+$/, '') || '/';

/** A path that ends so is followed: a symlink is no directory. */
const locateEnd = ({ root, path }: CopyEnd, follow: boolean): Located =>
  locate(root, bare(path), follow || bare(path) !== path);

/**
 * Copies a file or a tree.
 * @returns bytes of the files copied
 * @throws TinyrunError NOT_FOUND, USAGE by Docker's rules; SystemError. What is copied so far stays
 */
export async function copyTree(from: CopyEnd, to: CopyEnd, options: CopyOptions): Promise<number> {
  const source = locateEnd(from, options.followLink);
  const destination = locateEnd(to, true);
  try {
    // A name that a symlink led to is the one that a new file gets.
    const { into, name } = placeCopy({ ...from, ...source }, { ...to, ...destination });
    assertHasContents(source, from);
    const newName = into === 'parent' ? destination.base : name;
    const target = openTarget(destination, into, to);
    try {
      const itself = statInode(target, `look at ${to.written}`).identity;
      const forbidden = new Map([
        ...(options.forbidden ?? []),
        [itself, `is the destination, ${to.written}`],
      ]);
      const [, { bytes }] = await connect(
        (sink) => pack(source, newName, sink, enterBelow(from, forbidden)),
        (tar) => unpack(target, tar, to, options),
      );
      return bytes;
    } finally {
      close(target);
    }
  } finally {
    forget(source);
    forget(destination);
  }
}

/**
 * Writes a file or a tree as an archive, under its own name.
 * @throws TinyrunError NOT_FOUND; SystemError
 */
export async function copyToArchive(from: CopyEnd, sink: ByteSink, followLink: boolean): Promise<void> {
  const source = locateEnd(from, followLink);
  try {
    placeCopy({ ...from, ...source }, ARCHIVE);
    assertHasContents(source, from);
    const name = isContents(from.path) ? undefined : baseName(from.path);
    await pack(source, name, sink, enterBelow(from, new Map()));
  } finally {
    forget(source);
  }
}

const ARCHIVE: End = { path: '/', written: '-', container: undefined, kind: 'directory' };

const baseName = (path: string): string => bare(path).slice(bare(path).lastIndexOf('/') + 1);

/**
 * Unpacks an archive in a directory.
 * @param tar uncompressed
 * @returns bytes of the files
 * @throws TinyrunError USAGE if it is none; ARCHIVE; SystemError
 */
export async function copyFromArchive(
  tar: ByteSource,
  to: CopyEnd,
  owner: Owner | undefined,
): Promise<number> {
  const destination = locateEnd(to, true);
  try {
    if (destination.kind !== 'directory')
      throw new TinyrunError('USAGE', `destination "${to.written}" must be a directory`, {
        data: { path: to.path },
      });
    const target = openTarget(destination, 'destination', to);
    try {
      return (await unpack(target, tar, to, { owner })).bytes;
    } finally {
      close(target);
    }
  } finally {
    forget(destination);
  }
}

function openTarget({ parent, base, ledTo }: Located, into: 'destination' | 'parent', to: CopyEnd): number {
  if (parent === undefined)
    throw new TinyrunError('NOT_FOUND', `cp to ${to.written}: no such directory`, {
      hint: 'the directory that it is to be in must be there: cp makes no parents',
    });
  const name = into === 'destination' ? base : '.';
  const fd = must(rawSyscall('openat', parent, name, DIRECTORY, 0), `open the directory ${to.written}`);
  try {
    assertTakesFiles(fd, ledTo ?? to.path, to);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Packs it as `name`; without one, what is in it. */
async function pack(
  { parent, base }: Located,
  name: string | undefined,
  sink: ByteSink,
  enters: PackOptions['enters'],
): Promise<void> {
  const options: PackOptions = { whiteouts: 'plain', enters };
  const directory = must(
    rawSyscall('openat', parent!, name === undefined ? base : '.', DIRECTORY, 0),
    'open the directory to copy from',
  );
  try {
    if (name === undefined)
      await packTree(directory, sink, { ...options, rename: (path) => (path === '' ? undefined : path) });
    else if (base === '.') await packTree(directory, sink, { ...options, prefix: fromText(name) });
    else
      await packTree(directory, sink, {
        ...options,
        include: [fromText(base)],
        rename: (path) => fromText(name) + path.slice(fromText(base).length),
      });
  } finally {
    close(directory);
  }
}

async function unpack(
  target: number,
  tar: ByteSource,
  to: CopyEnd,
  { owner, withoutRights }: Pick<CopyOptions, 'owner' | 'withoutRights'>,
): Promise<UnpackResult> {
  try {
    return await unpackTar(target, tar, {
      whiteouts: 'plain',
      keepKinds: true,
      withoutRights,
      ...(owner === undefined ? {} : { mapOwner: () => owner }),
    });
  } catch (error) {
    if (error instanceof SystemError && error.errno === 'EROFS') throw readOnly(target, to, error);
    throw error instanceof SystemError || error instanceof TinyrunError ? named(to, error) : error;
  }
}

/** What unpacking says, with where to: of the copy of one file it names that alone. */
function named({ written }: CopyEnd, error: SystemError | TinyrunError): TinyrunError {
  const message = `cp to ${written}: ${error.message}`;
  if (error instanceof SystemError) return new TinyrunError('HOST', message, { cause: error });
  const { code, hint, data } = error;
  return new TinyrunError(code, message, { hint, data, cause: error });
}
