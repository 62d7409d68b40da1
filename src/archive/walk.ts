// A directory tree -> its files, in an order that depends on their names alone: a directory, then what is in it, by bytes.
// The tree may be a container's, and change meanwhile: each name is used once, to pin a file by a descriptor, whatever is
// there then. Directories are found from the root without following anything.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { DIRECTORY, PIN, readNames } from '../disk/files.ts';
import { errno, type Inode, must, S_IFDIR, statInode } from '../disk/inode.ts';
import { openBeneath } from './directories.ts';
import { type ByteString, byteString, displayName, joinPath, pathBytes } from './names.ts';

/** A file of the tree, pinned; `fd` is closed when the next one is asked for. */
export interface Found {
  /** From the root; empty: the root itself. */
  path: ByteString;
  /** Of O_PATH. */
  fd: number;
  inode: Inode;
}

/**
 * All files of a tree. What disappears meanwhile is left out.
 * @param only names in the root; undefined: all of it
 * @param enters whether what is in a directory is part of the tree
 * @throws SystemError, and what `enters` throws
 */
export function* walkTree(
  root: number,
  only?: readonly ByteString[],
  enters: (directory: Found) => boolean = () => true,
): Generator<Found> {
  /** What is to be visited, the next one last. */
  const stack: { directory: ByteString; names: ByteString[] }[] = [];
  const enter = (path: ByteString, names: readonly ByteString[]): void => {
    stack.push({ directory: path, names: names.toSorted().reverse() });
  };
  const top = openBeneath(root, '', DIRECTORY);
  must(top, 'open the directory');
  try {
    yield { path: '', fd: top, inode: statInode(top, 'look at the directory') };
    enter('', only ?? readNames(top).map(byteString));
  } finally {
    close(top);
  }
  let here: { path: ByteString; fd: number } | undefined;
  try {
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        stack.pop();
        continue;
      }
      const path = joinPath(level.directory, name);
      if (here?.path !== level.directory) {
        if (here !== undefined) close(here.fd);
        here = undefined;
        const fd = openExisting(root, level.directory);
        if (fd === undefined) continue;
        here = { path: level.directory, fd };
      }
      const fd = rawSyscall('openat', here.fd, pathBytes(name), PIN, 0);
      if (fd === errno('ENOENT')) continue;
      must(fd, `look at ${displayName(path)}`);
      try {
        const found = { path, fd, inode: statInode(fd, `look at ${displayName(path)}`) };
        yield found;
        if (found.inode.type === S_IFDIR && enters(found)) enter(path, namesIn(fd, path));
      } finally {
        close(fd);
      }
    }
  } finally {
    if (here !== undefined) close(here.fd);
  }
}

/** A directory that was there a moment ago. */
function openExisting(root: number, path: ByteString): number | undefined {
  const fd = openBeneath(root, path, DIRECTORY);
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].some((name) => fd === errno(name))) return undefined;
  return must(fd, `open directory ${displayName(path)}`);
}

/** Of a pinned directory: the descriptor itself is opened, not its name. */
function namesIn(pin: number, path: ByteString): ByteString[] {
  const fd = rawSyscall('openat', pin, '.', DIRECTORY, 0);
  if (fd < 0) throw new SystemError(`open directory ${displayName(path)}`, -fd);
  try {
    return readNames(fd).map(byteString);
  } finally {
    close(fd);
  }
}
