// `cp`: files between a container and the host, as a stream of tar from one tree to the other. Both trees are open, and names
// are looked up below them (locate.ts); nothing that is found in a container is run, and no symlink of it is followed outside.

import { close, rawSyscall } from '../../native-bindings/libc.ts';
import { fromText } from '../archive/names.ts';
import { type PackOptions, packTree } from '../archive/pack.ts';
import { connect } from '../archive/pipe.ts';
import type { ByteSink, ByteSource } from '../archive/source.ts';
import { unpackTar } from '../archive/unpack.ts';
import { DIRECTORY } from '../disk/files.ts';
import { must, type Owner } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { isContents, placeCopy } from './copy-rules.ts';
import { forget, type Located, locate } from './locate.ts';

/** One end of a copy: a path below a root that is open. */
export interface CopyEnd {
  root: number;
  /** Absolute and clean, but for a `/` or `/.` at its end. */
  path: string;
  /** See copy-rules.ts. */
  container: string | undefined;
}

export interface CopyOptions {
  /** A symlink that is the source is followed. */
  followLink: boolean;
  /** Who owns the copies; undefined: who owns the files that are copied. */
  owner: Owner | undefined;
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
    const newName = into === 'parent' ? destination.base : name;
    const target = openTarget(destination, into, to.path);
    try {
      const [, { bytes }] = await connect(
        (sink) => pack(source, newName, sink),
        (tar) => unpack(target, tar, options),
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
    placeCopy({ ...from, ...source }, { path: '/', container: undefined, kind: 'directory' });
    await pack(source, isContents(from.path) ? undefined : baseName(from.path), sink);
  } finally {
    forget(source);
  }
}

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
      throw new TinyrunError('USAGE', `destination "${to.path}" must be a directory`, {
        data: { path: to.path },
      });
    const target = openTarget(destination, 'destination', to.path);
    try {
      return (await unpack(target, tar, { owner })).bytes;
    } finally {
      close(target);
    }
  } finally {
    forget(destination);
  }
}

function openTarget({ parent, base }: Located, into: 'destination' | 'parent', path: string): number {
  if (parent === undefined)
    throw new TinyrunError('NOT_FOUND', `cp to ${path}: no such directory`, {
      hint: 'the directory that it is to be in must be there: cp makes no parents',
    });
  const name = into === 'destination' ? base : '.';
  return must(rawSyscall('openat', parent, name, DIRECTORY, 0), `open the directory ${path}`);
}

/** Packs it as `name`; without one, what is in it. */
async function pack({ parent, base }: Located, name: string | undefined, sink: ByteSink): Promise<void> {
  const options: PackOptions = { whiteouts: 'plain' };
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

const unpack = (
  target: number,
  tar: ByteSource,
  { owner, withoutRights }: Pick<CopyOptions, 'owner' | 'withoutRights'>,
) =>
  unpackTar(target, tar, {
    whiteouts: 'plain',
    keepKinds: true,
    withoutRights,
    ...(owner === undefined ? {} : { mapOwner: () => owner }),
  });
