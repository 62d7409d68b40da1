// Copies the contents of one directory into another: into a tmpfs with tmpcopyup, into a new volume. Kept are modes,
// owners, times, symlinks, hard links within the tree, device nodes, fifos, sockets, extended attributes and holes.
//
// The source may be hostile, and swapped while we read. So no name is used twice: each is pinned by an O_PATH
// descriptor that follows no symlink, looked at, and opened by that descriptor as what it is and nothing else
// (inode.ts). Nothing is read or changed but below the two directories, which are walked side by side (pairs.ts).

import { close, flag, rawOpenat2, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { cloneContents, copyContents } from './copy-contents.ts';
import { AT_FDCWD, type Name, PIN } from './files.ts';
import {
  copyAttributes,
  copyFileAttributes,
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
import {
  back,
  copying,
  type Directory,
  type Entry,
  enter,
  join,
  leave,
  open,
  openPair,
  takeEntry,
} from './pairs.ts';

const AT_SYMLINK_FOLLOW = flag('AT_SYMLINK_FOLLOW');
const READ = flag('O_RDONLY', 'O_CLOEXEC');
/** A fifo in the place of a file is not waited for. */
const READ_NAMED = flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC');
const CREATE = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_NOFOLLOW', 'O_CLOEXEC');
const PATH_MAX = 4096; // <linux/limits.h>: of a path and its NUL

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
  /** Whether devices of the source cannot be opened. */
  safe: boolean;
  /** Whether files may be able to share blocks: as long as one could. */
  clones: boolean;
  /** Who owns what we make; undefined where the filled directory has a say in that. */
  owner: { uid: number; gid: number } | undefined;
}

/**
 * Copies all that is in a directory, and that directory's own attributes. What is mounted below is copied as well.
 * @param from descriptor of the source directory, which is not changed; one of O_PATH will do
 * @param to descriptor of the directory to fill; one of O_PATH will do
 * @throws SystemError naming what could not be copied (EEXIST: it is in `to` already); what is copied so far stays
 */
export function copyTree(from: number, to: number, { keep, onEntry }: CopyOptions = {}): void {
  const source = withoutDevices(from);
  const umask = rawSyscall('umask', 0);
  try {
    walk(beginTree(to, source !== undefined, onEntry), source ?? from, to, keep);
  } finally {
    rawSyscall('umask', umask);
    if (source !== undefined) close(source);
  }
}

function beginTree(top: number, safe: boolean, onEntry: Tree['onEntry']): Tree {
  // A setgid bit is handed down, and so are ACLs.
  const inherits =
    (statInode(top, 'open the directories').mode & S_ISGID) !== 0 ||
    rawSyscall('getxattr', pathOf(top), 'system.posix_acl_default', null, 0) >= 0;
  const owner = inherits ? undefined : { uid: rawSyscall('geteuid'), gid: rawSyscall('getegid') };
  return { top, links: new Map(), onEntry, safe, clones: true, owner };
}

/**
 * The source by a copy of its mounts where devices cannot be opened: so a regular file need not be pinned before, which is
 * half of the time that many small files take. Undefined for who may not have one, or where it is not mounted.
 */
function withoutDevices(from: number): number | undefined {
  const how = flag('OPEN_TREE_CLONE', 'OPEN_TREE_CLOEXEC', 'AT_EMPTY_PATH', 'AT_RECURSIVE');
  const tree = rawSyscall('open_tree', from, '', how);
  if (tree < 0) return undefined;
  // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
  const attributes = new BigUint64Array([BigInt(flag('MOUNT_ATTR_NODEV')), 0n, 0n, 0n]);
  const bytes = new Uint8Array(attributes.buffer);
  const where = flag('AT_EMPTY_PATH', 'AT_RECURSIVE');
  if (rawSyscall('mount_setattr', tree, '', where, bytes, bytes.length) === 0) return tree;
  close(tree);
  return undefined;
}

const S_ISGID = 0o2000;

function walk(tree: Tree, from: number, to: number, keep: ReadonlySet<Kept> | undefined): void {
  const above: Directory[] = [];
  let here = enter(openPair(from, '.', to, '.', 'open the directories'), new Uint8Array());
  try {
    for (;;) {
      const entry = takeEntry(here);
      if (entry !== undefined) {
        const below = copyEntry(tree, here, entry);
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

/** Uses a descriptor and closes it. */
function using<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}

/** Copies one entry; of a directory, makes the copy and opens both. */
function copyEntry(tree: Tree, here: Directory, { isFile, name }: Entry): Directory | undefined {
  const what = here.copying + decodeName(name.subarray(0, -1));
  if (isFile && tree.safe && copyAtOnce(tree, here, name, what)) return undefined;
  return using(open(here.from, name, PIN, `${what}: look at it`), (pin) => {
    const inode = statInode(pin, what);
    if (inode.type === S_IFDIR) {
      must(rawSyscall('mkdirat', here.to, name, 0o700), `${what}: make the directory`);
      const pair = openPair(pin, '.', here.to, name, `${what}: open the directory`);
      return enter(pair, join(here.path, name));
    }
    if (inode.type !== S_IFREG) copyOnce(tree, here, name, inode, what, pin);
    else
      using(open(AT_FDCWD, pathOf(pin), READ, `${what}: open it`), (source) =>
        copyOnce(tree, here, name, inode, what, source),
      );
    return undefined;
  });
}

/** Copies what was a regular file, if it still is one: opened by its name, which does nothing to a device. */
function copyAtOnce(tree: Tree, here: Directory, name: Name, what: string): boolean {
  const source = rawSyscall('openat', here.from, name, READ_NAMED, 0);
  if (source < 0) return false;
  try {
    const inode = statInode(source, what);
    if (inode.type !== S_IFREG) return false;
    copyOnce(tree, here, name, inode, what, source);
    return true;
  } finally {
    close(source);
  }
}

/**
 * Copies what is no directory; what was copied by another name before is linked to that.
 * @param source of a regular file, open for reading; of any other the pin
 */
function copyOnce(tree: Tree, here: Directory, name: Name, inode: Inode, what: string, source: number): void {
  const first = inode.links > 1 ? tree.links.get(inode.identity) : undefined;
  tree.onEntry?.(inode.type === S_IFREG && first === undefined ? inode.size : 0);
  if (first !== undefined && linkTo(tree.top, first, here.to, name, what)) return;
  if (inode.type === S_IFREG) copyFile(tree, source, here.to, name, inode, what);
  else copyNode(source, here.to, name, inode, what);
  if (inode.links > 1) tree.links.set(inode.identity, join(here.path, name));
}

/** Links a name to an earlier copy. Returns false where it has too many links by now, or is too deep to be named. */
function linkTo(top: number, first: Uint8Array, dir: number, name: Name, what: string): boolean {
  if (first.length >= PATH_MAX) return false;
  const resolve = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS');
  const path = Buffer.concat([first, Buffer.from('\0')]);
  const words = `${what}: link it to ${decodeName(first)}`;
  return using(must(rawOpenat2(top, path, PIN, resolve), words), (pin) => {
    const result = rawSyscall('linkat', AT_FDCWD, pathOf(pin), dir, name, AT_SYMLINK_FOLLOW);
    if (result === errno('EMLINK')) return false;
    must(result, words);
    return true;
  });
}

/** Copies a regular file that is open. */
function copyFile(tree: Tree, source: number, dir: number, name: Name, inode: Inode, what: string): void {
  const { size, stored, uid, gid, mode } = inode;
  const made = uid === tree.owner?.uid && gid === tree.owner.gid;
  const permissions = made ? mode & 0o777 : 0o600;
  const copy = must(rawSyscall('openat', dir, name, CREATE, permissions), what, 'make the file');
  try {
    if (size > 0) {
      tree.clones &&= cloneContents(source, copy, what);
      if (!tree.clones) copyContents(source, copy, size, what, stored);
    }
    copyFileAttributes(source, copy, inode, made, what);
  } finally {
    close(copy);
  }
}

/** Copies a symlink, device node, fifo or socket, which is pinned. */
function copyNode(pin: number, dir: number, name: Name, inode: Inode, what: string): void {
  makeNode(pin, dir, name, inode, what);
  using(open(dir, name, PIN, `${what}: look at the copy`), (copy) => {
    // Who swapped it must not get the attributes of another file, such as a setuid bit.
    if (statInode(copy, what).type !== inode.type)
      throw new SystemError(`${what}: the copy was replaced meanwhile`, -errno('ESTALE'));
    copyAttributes(pin, copy, inode, what);
  });
}

function makeNode(pin: number, dir: number, name: Name, { type, device }: Inode, what: string): void {
  if (type === S_IFLNK) {
    const target = new Uint8Array(PATH_MAX);
    must(rawSyscall('readlinkat', pin, '', target, PATH_MAX - 1), what, 'read the symlink');
    must(rawSyscall('symlinkat', target, dir, name), what, 'make the symlink');
  } else must(rawSyscall('mknodat', dir, name, type | 0o600, device), what, 'make the node');
}
