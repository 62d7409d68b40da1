// Whether two containers share a file in memory: the page cache keeps the pages of an inode once, whoever reads it. Seen
// live: one container's file is read, and then the pages that are in memory are counted through the other one.

import { close, flag, rawOpenat2, rawSyscall, readInto, SystemError } from '../../native-bindings/libc.ts';
import { PIN } from '../disk/files.ts';
import { inodeNumber, pathOf, S_IFREG, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { MountTree } from './mount-tree.ts';
import type { Subject } from './subject.ts';
import { openProcessRoot } from './subject.ts';
import { whereIs } from './where.ts';

/** One container's view of a file: open for reading, but never mapped in a way that could be written or executed. */
export interface SharedFile {
  fd: number;
  /** The file of the host that it is. */
  hostPath: string;
  /** The same for two files that are one. */
  identity: string;
  /** Its number, as stat(1) shows it on the host. */
  inode: bigint;
  size: number;
}

/** Pages in memory, as each of the two containers sees them. */
export interface Residence {
  when: string;
  first: number;
  second: number;
}

const AT_PAGESZ = 6n; // <linux/auxvec.h>

/** Bytes of a page, which is not the same on all machines: proc_pid_auxv(5). */
function pageSize(): number {
  const fd = rawSyscall('openat', flag('AT_FDCWD'), '/proc/self/auxv', flag('O_RDONLY', 'O_CLOEXEC'), 0);
  const bytes = new Uint8Array(4096);
  const got = fd < 0 ? 0 : Math.max(0, readInto(fd, bytes));
  if (fd >= 0) close(fd);
  const words = new BigUint64Array(bytes.buffer, 0, got >> 3);
  const at = words.findIndex((word, index) => index % 2 === 0 && word === AT_PAGESZ);
  return at < 0 ? 4096 : Number(words[at + 1]);
}

const pagesOf = (size: number): number => Math.ceil(size / pageSize());

/**
 * Opens a regular file of a container that runs.
 * @throws TinyrunError STATE if it does not run; NOT_FOUND where no such file is; SystemError
 */
export function openShared(subject: Subject, tree: MountTree, path: string): SharedFile {
  const { resolved, seen, hostPath } = whereIs(subject, tree, path);
  const root = openProcessRoot(subject);
  if (root === undefined)
    throw new TinyrunError('STATE', `container ${subject.id} is not running`, { hint: 'start it first' });
  try {
    if (seen?.type !== S_IFREG || hostPath === undefined)
      throw new TinyrunError(
        'NOT_FOUND',
        `${path} in container ${subject.id} is no file on a disk of the host`,
      );
    return { fd: openRegular(root, resolved), hostPath, ...namesOf(hostPath), size: seen.size };
  } finally {
    close(root);
  }
}

/** Pinned first: a device or a fifo that took its place is not opened. */
function openRegular(root: number, path: string): number {
  const resolve = flag('RESOLVE_IN_ROOT', 'RESOLVE_NO_SYMLINKS');
  const pin = rawOpenat2(root, path, PIN, resolve);
  if (pin < 0) throw new SystemError(`open ${path}`, -pin);
  try {
    if (statInode(pin, path).type !== S_IFREG)
      throw new TinyrunError('NOT_FOUND', `${path} is no regular file`);
    const fd = rawSyscall('openat', flag('AT_FDCWD'), pathOf(pin), flag('O_RDONLY', 'O_CLOEXEC'), 0);
    if (fd < 0) throw new SystemError(`open ${path}`, -fd);
    return fd;
  } finally {
    close(pin);
  }
}

/** In an overlay a file has numbers of the overlay's: those of the real one are asked for on the host. */
function namesOf(hostPath: string): Pick<SharedFile, 'identity' | 'inode'> {
  const fd = rawSyscall('openat', flag('AT_FDCWD'), hostPath, PIN, 0);
  if (fd < 0) throw new SystemError(`look at ${hostPath}`, -fd);
  try {
    const inode = statInode(fd, hostPath);
    return { identity: inode.identity, inode: inodeNumber(inode) };
  } finally {
    close(fd);
  }
}

const DONTNEED = 4; // POSIX_FADV_DONTNEED, <linux/fadvise.h>
/** Of a larger file, only the beginning is read. */
const MOST = 64 << 20;

/**
 * Drops the file's pages, reads it through the first container, and counts at each step what both have in memory. Pages
 * that a program has mapped (a shell that runs) stay.
 * @throws SystemError
 */
export function watchPageCache(first: SharedFile, second: SharedFile): Residence[] {
  const count = (when: string): Residence => ({ when, first: resident(first), second: resident(second) });
  const before = count('at first');
  for (const { fd } of [first, second]) rawSyscall('fadvise64', fd, 0, 0, DONTNEED);
  const dropped = count('when the kernel was asked to drop them');
  readWhole(first);
  return [before, dropped, count('after reading it through the first container')];
}

function readWhole({ fd, size, hostPath }: SharedFile): void {
  const buffer = new Uint8Array(1 << 20);
  rawSyscall('lseek', fd, 0, flag('SEEK_SET'));
  for (let read = 0; read < Math.min(size, MOST); ) {
    const got = readInto(fd, buffer);
    if (got < 0) throw new SystemError(`read ${hostPath}`, -got);
    if (got === 0) return;
    read += got;
  }
}

/** mincore(2) of a mapping of the file that nobody touches. */
function resident({ fd, size, hostPath }: SharedFile): number {
  const length = Math.min(size, MOST);
  if (length === 0) return 0;
  const address = rawSyscall('mmap', 0, length, flag('PROT_READ'), flag('MAP_SHARED'), fd, 0);
  if (address < 0) throw new SystemError(`map ${hostPath}`, -address);
  try {
    const pages = new Uint8Array(pagesOf(length));
    const result = rawSyscall('mincore', address, length, pages);
    if (result < 0) throw new SystemError(`count the pages of ${hostPath} in memory`, -result);
    return pages.reduce((sum, page) => sum + (page & 1), 0);
  } finally {
    rawSyscall('munmap', address, length);
  }
}

/** How many pages a file has, as far as it is looked at. */
export const pagesLookedAt = ({ size }: SharedFile): number => pagesOf(Math.min(size, MOST));
