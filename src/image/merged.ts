// What overlayfs would show of layers, without mounting them: a path is walked through all layers at once, component by
// component. Whiteouts and opaque directories hide what is below, symlinks stay inside of the root, and every step is made
// from an open directory, so that nothing outside of the layers is ever opened. Documentation/filesystems/overlayfs.rst.

import { close, flag, open, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { PIN, readLink } from '../disk/files.ts';
import { errno, pathOf, S_IFDIR, S_IFLNK, S_IFREG, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';

const S_IFCHR = 0o020000;
const MOST_LINKS = 40; // as the kernel, path_resolution(7)
const decoder = new TextDecoder();

/** What is at a path: open descriptors (O_PATH), to be closed. Of a directory all that are merged in it, the topmost first. */
export interface MergedEntry {
  type: 'directory' | 'file' | 'other';
  fds: number[];
}

/**
 * Opens what is at a path of the merged view of layers; symlinks are followed inside of it.
 * @param layers absolute paths of their directories, the topmost first
 * @param path from the root of the view; `..` does not leave it
 * @returns undefined where there is nothing, or a loop of symlinks
 * @throws SystemError where a layer cannot be read
 */
export function openMerged(layers: readonly string[], path: string): MergedEntry | undefined {
  const root = layers.map((layer) => {
    const fd = open(layer, flag('O_PATH', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC'));
    if (fd < 0) throw new SystemError(`open layer ${layer}`, -fd);
    return fd;
  });
  const way: Step[] = [{ type: 'directory', fds: root }]; // the directories on the way, from the root on
  try {
    return walk(way, split(path));
  } finally {
    for (const { fds } of way) for (const fd of fds) close(fd);
  }
}

type Step = MergedEntry & { target?: string };

const split = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

function walk(way: Step[], todo: string[]): MergedEntry | undefined {
  for (let links = 0; todo.length > 0; ) {
    const name = todo.shift()!;
    if (name === '..') {
      if (way.length > 1) closeAll(way.pop()!);
      continue;
    }
    const here = way[way.length - 1]!;
    const found = here.type === 'directory' ? lookUp(here.fds, name) : undefined;
    if (found === undefined) return undefined;
    if (found.target === undefined) {
      way.push(found);
      continue;
    }
    closeAll(found);
    links += 1;
    if (links > MOST_LINKS) return undefined; // as little is there as behind a dangling one
    if (found.target.startsWith('/')) for (const step of way.splice(1)) closeAll(step);
    todo.unshift(...split(found.target));
  }
  const { type, fds } = way[way.length - 1]!;
  return { type, fds: fds.map((fd) => rawSyscall('fcntl', fd, flag('F_DUPFD_CLOEXEC'), 3)) };
}

const closeAll = ({ fds }: MergedEntry): void => {
  for (const fd of fds) close(fd);
};

/** One name in a merged directory: the topmost layer that has it decides, and of directories those below are added. */
function lookUp(directories: readonly number[], name: string): Step | undefined {
  const merged: number[] = [];
  for (const directory of directories) {
    const fd = rawSyscall('openat', directory, name, PIN, 0);
    if (fd === errno('ENOENT') || fd === errno('ENAMETOOLONG')) continue;
    if (fd < 0) throw new SystemError(`open ${name} in a layer`, -fd);
    const { type, device } = statInode(fd, `look at ${name} in a layer`);
    if (type === S_IFDIR) {
      merged.push(fd);
      if (isOpaque(fd)) break;
      continue;
    }
    if (merged.length > 0 || (type === S_IFCHR && device === 0)) {
      close(fd); // hidden by a directory above, or a whiteout: what is below of this name is not seen
      break;
    }
    if (type === S_IFLNK)
      return { type: 'other', fds: [fd], target: readLink(fd, '', 'read a symbolic link of a layer') ?? '' };
    return { type: type === S_IFREG ? 'file' : 'other', fds: [fd] };
  }
  return merged.length === 0 ? undefined : { type: 'directory', fds: merged };
}

/** A mark that only root may set: what an image brings as `user.overlay.*` means nothing to a mount of root's. */
function isOpaque(fd: number): boolean {
  const into = new Uint8Array(2);
  const size = rawSyscall('getxattr', pathOf(fd), 'trusted.overlay.opaque', into, into.length);
  return size === 1 && into[0] === 'y'.charCodeAt(0);
}

/**
 * Reads a regular file of the merged view.
 * @param limit bytes; a larger one is refused: it is an image's, and may be endless (CVE-2026-47262)
 * @returns undefined where there is none, or something else than a regular file
 * @throws TinyrunError CONFIG where it is larger
 */
export function readMerged(layers: readonly string[], path: string, limit: number): string | undefined {
  const entry = openMerged(layers, path);
  if (entry === undefined) return undefined;
  try {
    return entry.type === 'file' ? readPinned(entry.fds[0]!, path, limit) : undefined;
  } finally {
    closeAll(entry);
  }
}

/** The kind is checked before it is opened for reading: to open a device would set it going. */
function readPinned(pinned: number, path: string, limit: number): string {
  const fd = open(pathOf(pinned), flag('O_RDONLY', 'O_CLOEXEC'));
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  try {
    const bytes = new Uint8Array(limit + 1);
    let used = 0;
    for (;;) {
      const got = rawSyscall('read', fd, bytes.subarray(used), bytes.length - used);
      if (got < 0) throw new SystemError(`read ${path}`, -got);
      used += got;
      if (used > limit)
        throw new TinyrunError('CONFIG', `read ${path} of the image: it is larger than ${limit} bytes`, {
          data: { path },
        });
      if (got === 0) return decoder.decode(bytes.subarray(0, used));
    }
  } finally {
    close(fd);
  }
}
