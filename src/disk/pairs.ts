// Two directories that are walked side by side, a source and its copy, as deep as they like: only the innermost ones are open, and
// the way back is `..`, checked to be where it came from.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { DIRECTORY, type Name } from './files.ts';
import { decodeName, errno, type Inode, must, statInode } from './inode.ts';

const DT_REG = 8; // <linux/fs_types.h>

/** Source and copy of a directory, open. */
export interface Pair {
  from: number;
  to: number;
}

/** A directory that is being copied; open while it is the innermost one. */
export interface Directory extends Pair {
  /** What the source is. */
  inode: Inode;
  /** Identity of the copy. */
  copy: string;
  /** From the top: bytes, without a slash in front. */
  path: Uint8Array;
  /** What a message about an entry begins with: `copy PATH/`. */
  copying: string;
  /** One entry behind the other, a byte for its type and then its name; what is copied is in front of `next`. */
  names: Uint8Array;
  next: number;
}

/** What a message begins with. */
export const copying = (path: Uint8Array): string => `copy ${path.length === 0 ? '.' : decodeName(path)}`;

/** openat(2). @throws SystemError */
export const open = (dir: number, name: Name | string, flags: number, what: string, mode = 0o600): number =>
  must(rawSyscall('openat', dir, name, flags, mode), what);

/** Opens a directory of the source and its copy. @throws SystemError */
export function openPair(from: number, source: string, to: number, copy: Name | string, what: string): Pair {
  const opened = open(from, source, DIRECTORY, what);
  try {
    return { from: opened, to: open(to, copy, DIRECTORY, what) };
  } catch (error) {
    close(opened);
    throw error;
  }
}

/** Closes both. */
export function leave({ from, to }: Pair): void {
  close(from);
  close(to);
}

/** Begins with a directory. Takes the descriptors over, also where it fails. */
export function enter(pair: Pair, path: Uint8Array): Directory {
  const what = copying(path);
  try {
    const [inode, copy] = [statInode(pair.from, what), statInode(pair.to, what).identity];
    const prefix = path.length === 0 ? 'copy ' : `${what}/`;
    return { ...pair, inode, copy, path, copying: prefix, names: readEntries(pair.from, what), next: 0 };
  } catch (error) {
    leave(pair);
    throw error;
  }
}

/** Closes a directory that is done and opens the one around it again. */
export function back(here: Directory, parent: Directory): Directory {
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

/** An entry of a directory. */
export interface Entry {
  /** What the directory said; it may be another thing by now. */
  isFile: boolean;
  name: Name;
}

/** The next entry; undefined behind the last one. */
export function takeEntry(directory: Directory): Entry | undefined {
  const { names, next } = directory;
  if (next === names.length) return undefined;
  directory.next = names.indexOf(0, next + 1) + 1;
  return { isFile: names[next] === DT_REG, name: names.subarray(next + 1, directory.next) };
}

const DOT = 0x2e;

/** All entries but `.` and `..`. Offsets in struct linux_dirent64: d_reclen 16, d_type 18, d_name 19. */
function readEntries(fd: number, what: string): Uint8Array {
  const entries: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(32768);
    const view = new DataView(buffer.buffer);
    const size = must(rawSyscall('getdents64', fd, buffer, buffer.length), `${what}: read it`);
    if (size === 0) return Buffer.concat(entries);
    for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
      const isDots =
        buffer[at + 19] === DOT &&
        (buffer[at + 20] === 0 || (buffer[at + 20] === DOT && buffer[at + 21] === 0));
      // The type may be zero, which ends no name.
      if (!isDots) entries.push(buffer.subarray(at + 18, buffer.indexOf(0, at + 19) + 1));
    }
  }
}

/** The path of a name in a directory. */
export function join(directory: Uint8Array, name: Name): Uint8Array {
  const last = name.subarray(0, -1);
  return directory.length === 0 ? last.slice() : Buffer.concat([directory, Buffer.from('/'), last]);
}
