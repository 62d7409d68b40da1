// A name in a directory that is open, and how it is taken: what has the name already gives way, or stays, as the options
// and the kinds of both say. Of two entries of one name, the later one wins.

import { close, flag, rawSyscall } from '../../native-bindings/libc.ts';
import { DIRECTORY, removeTree } from '../disk/files.ts';
import { errno, must, S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { Attributes } from './attributes.ts';
import type { Directories } from './directories.ts';
import type { Entry } from './entries.ts';
import { type ByteString, displayName, pathBytes } from './names.ts';
import type { NewFile } from './new-files.ts';
import type { UnpackOptions, UnpackResult } from './unpack-options.ts';
import { isWhiteout, setOpaque } from './whiteouts.ts';

/** A tree that is being unpacked. */
export interface Tree {
  /** fd of its top. */
  root: number;
  options: UnpackOptions;
  directories: Directories;
  /** What a file gets that is made there; undefined: nobody knows. */
  newFile: NewFile | undefined;
  /** What directories get in the end. */
  pending: Map<ByteString, Attributes>;
  result: UnpackResult;
}

/** Where an entry goes. */
export interface Place {
  /** From the root. */
  path: ByteString;
  /** fd of the directory, and the name in it. */
  directory: number;
  base: ByteString;
}

/** How a file is looked at, whatever it is. */
export const PIN = flag('O_PATH', 'O_NOFOLLOW', 'O_CLOEXEC');

/**
 * Makes something under a name, in the place of what has that name.
 * @param call returns an fd, 0, or the negative errno
 * @throws SystemError
 */
export function take(tree: Tree, entry: Entry, place: Place, call: (name: Uint8Array) => number): number {
  const name = pathBytes(place.base);
  let result = call(name);
  if (result === errno('EEXIST')) {
    replace(tree, entry, place);
    result = call(name);
  }
  return must(result, `unpack ${displayName(place.path)}: make the ${entry.type}`);
}

/**
 * Makes a directory, also where this layer has a whiteout of that name. Returns false where something else is there.
 * @throws SystemError
 */
export function makeDirectory(place: Place): boolean {
  const { path, directory, base } = place;
  const name = pathBytes(base);
  const call = (): number => rawSyscall('mkdirat', directory, name, 0o700);
  let result = call();
  const whiteout = result === errno('EEXIST') && kindOf(place) === 'whiteout';
  if (whiteout) {
    must(rawSyscall('unlinkat', directory, name, 0), `unpack ${displayName(path)}: replace the whiteout`);
    result = call();
  }
  if (result === errno('EEXIST')) return false;
  must(result, `unpack ${displayName(path)}: make the directory`);
  if (whiteout) hideBelow(place);
  return true;
}

/** What this layer has itself stays where there is a whiteout for it; as a directory it would show what is below. */
export function hideBelow({ path, directory, base }: Place): void {
  const fd = rawSyscall('openat', directory, pathBytes(base), DIRECTORY, 0);
  if (fd < 0) return; // no directory
  try {
    setOpaque(fd, path);
  } finally {
    close(fd);
  }
}

type Kind = 'directory' | 'whiteout' | 'file';

/** @throws SystemError */
export function kindOf({ path, directory, base }: Place): Kind {
  const what = `unpack ${displayName(path)}: look at what is there`;
  const pin = must(rawSyscall('openat', directory, pathBytes(base), PIN, 0), what);
  try {
    const inode = statInode(pin, what);
    if (inode.type === S_IFDIR) return 'directory';
    return isWhiteout(inode) ? 'whiteout' : 'file';
  } finally {
    close(pin);
  }
}

/**
 * Takes away what has an entry's name.
 * @throws TinyrunError ARCHIVE where kinds are to be kept and differ; SystemError
 */
export function replace(tree: Tree, entry: Entry, place: Place): void {
  const { recorder, keepKinds } = tree.options;
  const { path, directory, base } = place;
  const kind = kindOf(place);
  const isDirectory = entry.type === 'directory';
  if (keepKinds === true && (kind === 'directory') !== isDirectory)
    throw new TinyrunError(
      'ARCHIVE',
      `cannot overwrite ${isDirectory ? 'non-directory with directory' : 'directory with non-directory'}`,
    );
  const what = `unpack ${displayName(path)}: replace what is there`;
  const name = pathBytes(base);
  // Only what has contents is needed again.
  if (recorder === undefined || kind === 'whiteout') {
    removeTree(directory, name);
    return;
  }
  const aside = recorder.replaced(path);
  must(rawSyscall('renameat2', directory, name, aside.directory, aside.name, 0), what);
}
