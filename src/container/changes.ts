// What a container has changed: its upper layer, compared with what lies below. overlayfs.rst of the kernel's documentation,
// "whiteouts and opaque directories".
//
//   A   added: nothing below has the name
//   C   changed: something below has it; a directory also if only something in it has changed
//   D   deleted: a whiteout, or a name of a directory that the container has made anew

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { type ByteString, byteString, displayName, joinPath, pathBytes } from '../archive/names.ts';
import { isOpaque, isWhiteout } from '../archive/whiteouts.ts';
import { DIRECTORY, PIN, readNames } from '../disk/files.ts';
import { errno, type Inode, must, S_IFDIR, statInode } from '../disk/inode.ts';

export interface Change {
  kind: 'A' | 'C' | 'D';
  /** Absolute, in the container. */
  path: string;
}

const PATH_MAX = 4096;

/**
 * Compares an upper layer with the directories below it.
 * @param upper absolute
 * @param lowers absolute, topmost first
 * @returns sorted by path
 * @throws SystemError
 */
export function findChanges(upper: string, lowers: readonly string[]): Change[] {
  const open = (path: string): number =>
    must(rawSyscall('openat', flag('AT_FDCWD'), path, DIRECTORY, 0), `open ${path}`);
  const changes: Change[] = [];
  const top = open(upper);
  const below: number[] = [];
  try {
    for (const lower of lowers) below.push(open(lower));
    compare(changes, '', top, below);
  } finally {
    for (const fd of [top, ...below]) close(fd);
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Compares one directory.
 * @param below those of the same path in the layers below that count, topmost first
 */
function compare(changes: Change[], path: ByteString, upper: number, below: readonly number[]): void {
  const names = readNames(upper).map(byteString);
  const add = (kind: Change['kind'], name: ByteString): unknown =>
    changes.push({ kind, path: `/${displayName(joinPath(path, name))}` });
  if (isOpaque(upper)) for (const name of mergedNames(below)) if (!names.includes(name)) add('D', name);
  for (const name of names) {
    const inode = lookAt(upper, name, path);
    if (inode === undefined) continue; // it went meanwhile
    const isThere = isShown(below, name, path);
    if (isWhiteout(inode)) {
      if (isThere) add('D', name);
      continue;
    }
    add(isThere ? 'C' : 'A', name);
    if (inode.type === S_IFDIR) enter(changes, path, name, upper, below);
  }
}

function enter(
  changes: Change[],
  path: ByteString,
  name: ByteString,
  upper: number,
  below: readonly number[],
): void {
  const what = `open ${displayName(joinPath(path, name))}`;
  // No depth that a container may make is to end this process: deeper than this no path names anything.
  if (path.length > PATH_MAX) throw new SystemError(what, -errno('ENAMETOOLONG'));
  const here = rawSyscall('openat', upper, pathBytes(name), DIRECTORY, 0);
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].some((gone) => here === errno(gone))) return; // it went meanwhile
  must(here, what);
  const under = contributing(below, name);
  try {
    compare(changes, joinPath(path, name), here, under);
  } finally {
    for (const fd of [here, ...under]) close(fd);
  }
}

/** Whether the topmost of these directories that knows a name has something of it, not its whiteout. */
function isShown(below: readonly number[], name: ByteString, path: ByteString): boolean {
  for (const fd of below) {
    const inode = lookAt(fd, name, path);
    if (inode !== undefined) return !isWhiteout(inode);
  }
  return false;
}

/** The directories of a name that are merged, open: down to one that hides what lies below it. */
function contributing(below: readonly number[], name: ByteString): number[] {
  const found: number[] = [];
  for (const fd of below) {
    const directory = rawSyscall('openat', fd, pathBytes(name), DIRECTORY, 0);
    if (directory === errno('ENOENT')) continue;
    if (directory < 0) break; // a file or a whiteout
    found.push(directory);
    if (isOpaque(directory)) break;
  }
  return found;
}

/** All names that directories have when they are merged. */
function mergedNames(below: readonly number[]): ByteString[] {
  const names = new Set(below.flatMap((fd) => readNames(fd).map(byteString)));
  return [...names].filter((name) => isShown(below, name, ''));
}

function lookAt(directory: number, name: ByteString, path: ByteString): Inode | undefined {
  const pin = rawSyscall('openat', directory, pathBytes(name), PIN, 0);
  if (pin === errno('ENOENT')) return undefined;
  const what = `look at ${displayName(joinPath(path, name))}`;
  must(pin, what);
  try {
    return statInode(pin, what);
  } finally {
    close(pin);
  }
}
