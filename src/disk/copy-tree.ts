// Copies the contents of one directory into another: into a tmpfs with tmpcopyup, into a new volume. Kept are modes,
// owners, times, symlinks, hard links within the tree, device nodes, fifos, sockets, extended attributes and holes.
//
// The source may be hostile, and swapped while we read. So no name is used twice: each is pinned by an O_PATH
// descriptor that follows no symlink, looked at, and opened by that descriptor as what it is and nothing else
// (inode.ts). Nothing is read or changed but below the two directories. A tree may be as deep as it likes: only the
// innermost directory is open, and the way back is `..`, checked to be where we came from.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { copyContents } from './copy-contents.ts';
import {
  copyAttributes,
  decodeName,
  errno,
  type Inode,
  type Kept,
  must,
  pathOf,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  statInode,
} from './inode.ts';

const AT_FDCWD = flag('AT_FDCWD');
const AT_SYMLINK_FOLLOW = flag('AT_SYMLINK_FOLLOW');
const PIN = flag('O_PATH', 'O_NOFOLLOW', 'O_CLOEXEC');
const DIRECTORY = flag('O_RDONLY', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC');
const READ = flag('O_RDONLY', 'O_CLOEXEC');
const CREATE = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_NOFOLLOW', 'O_CLOEXEC');
const PATH_MAX = 4096; // <linux/limits.h>: of a path and its NUL

/** Bytes, NUL-terminated: names need not be UTF-8. */
type Name = Uint8Array;

/** Source and copy of a directory, open. */
interface Pair {
  from: number;
  to: number;
}

/** A directory that is being copied; open while it is the innermost one. */
interface Directory extends Pair {
  /** What the source is. */
  inode: Inode;
  /** Identity of the copy. */
  copy: string;
  /** From the top: bytes, without a slash in front. */
  path: Uint8Array;
  /** What is not copied yet, one name behind the other. */
  names: Uint8Array;
}

export interface CopyOptions {
  /** The attributes of its own that the directory to fill keeps. */
  keep?: ReadonlySet<Kept>;
  /** Called for each entry that is no directory, with the bytes of a regular file. */
  onEntry?: (bytes: number) => void;
}

/** The copy as a whole. */
interface Tree {
  /** The directory that is filled. */
  top: number;
  /** By identity of the source, the path of the first copy of every file with several links. */
  links: Map<string, Uint8Array>;
  onEntry: ((bytes: number) => void) | undefined;
}

/**
 * Copies all that is in a directory, and that directory's own attributes. What is mounted below is copied as well.
 * @param from descriptor of the source directory, which is not changed; one of O_PATH will do
 * @param to descriptor of the directory to fill; one of O_PATH will do
 * @throws SystemError naming what could not be copied (EEXIST: it is in `to` already); what is copied so far stays
 */
export function copyTree(from: number, to: number, { keep, onEntry }: CopyOptions = {}): void {
  const tree: Tree = { top: to, links: new Map(), onEntry };
  const above: Directory[] = [];
  let here = enter(openPair(from, '.', to, '.', 'open the directories'), new Uint8Array());
  try {
    for (;;) {
      const name = takeName(here);
      if (name !== undefined) {
        const below = copyEntry(tree, here, name);
        if (below === undefined) continue;
        leave(here);
        above.push(here);
        here = below;
      } else {
        const parent = above.pop();
        copyAttributes(here.from, here.to, here.inode, copying(here.path), parent ? undefined : keep);
        if (parent === undefined) return;
        here = back(here, parent);
      }
    }
  } finally {
    leave(here);
  }
}

/** What a message begins with. */
const copying = (path: Uint8Array): string => `copy ${path.length === 0 ? '.' : decodeName(path)}`;

const open = (dir: number, name: Name | string, flags: number, what: string): number =>
  must(rawSyscall('openat', dir, name, flags, 0o600), what);

/** Uses a descriptor and closes it. */
function using<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}

// Walking

function openPair(from: number, source: string, to: number, copy: Name | string, what: string): Pair {
  const opened = open(from, source, DIRECTORY, what);
  try {
    return { from: opened, to: open(to, copy, DIRECTORY, what) };
  } catch (error) {
    close(opened);
    throw error;
  }
}

function leave({ from, to }: Pair): void {
  close(from);
  close(to);
}

/** Begins with a directory. Takes the descriptors over, also where it fails. */
function enter(pair: Pair, path: Uint8Array): Directory {
  const what = copying(path);
  try {
    const [inode, copy] = [statInode(pair.from, what), statInode(pair.to, what).identity];
    return { ...pair, inode, copy, path, names: readNames(pair.from, what) };
  } catch (error) {
    leave(pair);
    throw error;
  }
}

/** Closes a directory that is done and opens the one around it again. */
function back(here: Directory, parent: Directory): Directory {
  const what = `${copying(here.path)}: go back`;
  const pair = openPair(here.from, '..', here.to, '..', what);
  const same =
    statInode(pair.from, what).identity === parent.inode.identity &&
    statInode(pair.to, what).identity === parent.copy;
  if (!same) {
    leave(pair);
    throw new SystemError(`${what}: the directory was moved meanwhile`, -errno('ESTALE'));
  }
  leave(here);
  return { ...parent, ...pair };
}

function takeName(directory: Directory): Name | undefined {
  const { names } = directory;
  if (names.length === 0) return undefined;
  const end = names.indexOf(0) + 1;
  directory.names = names.subarray(end);
  return names.subarray(0, end);
}

/** All names but `.` and `..`. Offsets in struct linux_dirent64: d_reclen 16, d_name 19. */
function readNames(fd: number, what: string): Uint8Array {
  const names: Name[] = [];
  for (;;) {
    const buffer = new Uint8Array(32768);
    const view = new DataView(buffer.buffer);
    const size = must(rawSyscall('getdents64', fd, buffer, buffer.length), `${what}: read it`);
    if (size === 0) return Buffer.concat(names);
    for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
      const name = buffer.subarray(at + 19, buffer.indexOf(0, at + 19) + 1);
      const text = decodeName(name);
      if (text !== '.\0' && text !== '..\0') names.push(name);
    }
  }
}

function join(directory: Uint8Array, name: Name): Uint8Array {
  const last = name.subarray(0, -1);
  return directory.length === 0 ? last.slice() : Buffer.concat([directory, Buffer.from('/'), last]);
}

// Entries

/** Copies one entry; of a directory, makes the copy and opens both. */
function copyEntry(tree: Tree, here: Directory, name: Name): Directory | undefined {
  const path = join(here.path, name);
  const what = copying(path);
  return using(open(here.from, name, PIN, `${what}: look at it`), (pin) => {
    const inode = statInode(pin, what);
    if (inode.type === S_IFDIR) {
      must(rawSyscall('mkdirat', here.to, name, 0o700), `${what}: make the directory`);
      return enter(openPair(pin, '.', here.to, name, `${what}: open the directory`), path);
    }
    const first = inode.links > 1 ? tree.links.get(inode.identity) : undefined;
    tree.onEntry?.(inode.type === S_IFREG && first === undefined ? inode.size : 0);
    if (first !== undefined && linkTo(tree.top, first, here.to, name, what)) return undefined;
    const copy =
      inode.type === S_IFREG
        ? copyFile(pin, here.to, name, inode.size, what)
        : copyNode(pin, here.to, name, inode, what);
    using(copy, () => copyAttributes(pin, copy, inode, what));
    if (inode.links > 1) tree.links.set(inode.identity, path);
    return undefined;
  });
}

/** Links a name to an earlier copy. Returns false where it has too many links by now, or is too deep to be named. */
function linkTo(top: number, first: Uint8Array, dir: number, name: Name, what: string): boolean {
  if (first.length >= PATH_MAX) return false;
  const resolve = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS');
  const how = new Uint8Array(new BigUint64Array([BigInt(PIN), 0n, BigInt(resolve)]).buffer);
  const path = Buffer.concat([first, Buffer.from('\0')]);
  const words = `${what}: link it to ${decodeName(first)}`;
  return using(must(rawSyscall('openat2', top, path, how, how.length), words), (pin) => {
    const result = rawSyscall('linkat', AT_FDCWD, pathOf(pin), dir, name, AT_SYMLINK_FOLLOW);
    if (result === errno('EMLINK')) return false;
    must(result, words);
    return true;
  });
}

/** Copies a pinned regular file. Returns the copy, open. */
function copyFile(pin: number, dir: number, name: Name, size: number, what: string): number {
  return using(open(AT_FDCWD, pathOf(pin), READ, `${what}: open it`), (source) => {
    const copy = open(dir, name, CREATE, `${what}: make the file`);
    try {
      copyContents(source, copy, size, what);
      return copy;
    } catch (error) {
      close(copy);
      throw error;
    }
  });
}

/** Copies a symlink, device node, fifo or socket. Returns the copy, pinned. */
function copyNode(pin: number, dir: number, name: Name, inode: Inode, what: string): number {
  if (inode.type === S_IFLNK) {
    const target = new Uint8Array(PATH_MAX);
    must(rawSyscall('readlinkat', pin, '', target, PATH_MAX - 1), `${what}: read the symlink`);
    must(rawSyscall('symlinkat', target, dir, name), `${what}: make the symlink`);
  } else {
    const made = rawSyscall('mknodat', dir, name, inode.type | 0o600, inode.device);
    must(made, `${what}: make the node`);
  }
  const copy = open(dir, name, PIN, `${what}: look at the copy`);
  if (statInode(copy, what).type === inode.type) return copy;
  close(copy); // who swapped it must not get the attributes of another file, such as a setuid bit
  throw new SystemError(`${what}: the copy was replaced meanwhile`, -errno('ESTALE'));
}
