// The bytes of one file into another, by the kernel alone: copy_file_range(2), which shares blocks where both are on a
// filesystem that can (btrfs, xfs), and sendfile(2) between different ones. Holes stay holes: lseek(2), "SEEK_DATA".

import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import { errno, must } from './inode.ts';

const [SEEK_SET, SEEK_DATA, SEEK_HOLE] = [flag('SEEK_SET'), flag('SEEK_DATA'), flag('SEEK_HOLE')];

const FICLONE = flag('FICLONE');
const EINTR = errno('EINTR');

/** Up to this size a file is read and written: quicker than to set up what moves pages inside of the kernel. */
const SMALL = 32 * 1024;
const buffer = new Uint8Array(SMALL);

/**
 * Makes a file share all blocks of another one: ioctl_ficlone(2).
 * @returns false where the filesystem cannot, or the two are on different ones
 * @throws SystemError
 */
export function cloneContents(from: number, to: number, what: string): boolean {
  const result = rawSyscall('ioctl', to, FICLONE, from);
  if (UNSHARED.includes(result) || result === errno('ENOTTY')) return false;
  must(result, what);
  return true;
}

/**
 * Copies a regular file.
 * @param from open for reading
 * @param to open for writing, empty
 * @param size bytes; a file that grows meanwhile is copied as far as this
 * @param what begins the messages
 * @param stored bytes that are allocated: as many as it has, and there is no hole to be looked for
 * @throws SystemError
 */
export function copyContents(from: number, to: number, size: number, what: string, stored = 0): void {
  if (stored >= size && size <= SMALL) {
    copySmall(from, to, size, what);
    return;
  }
  if (stored >= size) {
    copyRange(from, to, size, what);
    return;
  }
  for (let at = 0; at < size; ) {
    const data = rawSyscall('lseek', from, at, SEEK_DATA);
    if (data === errno('ENXIO')) break; // nothing but a hole behind
    // A filesystem that does not know of holes.
    const [start, end] =
      data === errno('EINVAL')
        ? [at, size]
        : [must(data, what), must(rawSyscall('lseek', from, data, SEEK_HOLE), what)];
    for (const fd of [from, to]) must(rawSyscall('lseek', fd, start, SEEK_SET), what);
    copyRange(from, to, Math.min(end, size) - start, what);
    at = end;
  }
  must(rawSyscall('ftruncate', to, size), what);
}

/** Copies at most as many bytes as the buffer takes; fewer if the file ends before. */
function copySmall(from: number, to: number, size: number, what: string): void {
  for (let left = size; left > 0; ) {
    const got = must(rawSyscall('read', from, buffer, left), what);
    if (got === 0) return;
    for (let at = 0; at < got; ) {
      const wrote = rawSyscall('write', to, at === 0 ? buffer : buffer.subarray(at), got - at);
      if (wrote !== EINTR) at += must(wrote, what);
    }
    left -= got;
  }
}

/** Copies so many bytes from position to position; fewer if the file ends before. */
function copyRange(from: number, to: number, length: number, what: string): void {
  let shared = true;
  for (let left = length; left > 0; ) {
    const copied = shared
      ? rawSyscall('copy_file_range', from, null, to, null, left, 0)
      : rawSyscall('sendfile', to, from, null, left);
    if (copied === 0) return;
    if (copied > 0) left -= copied;
    else if (shared && UNSHARED.includes(copied)) shared = false;
    else if (copied !== EINTR) must(copied, what);
  }
}

/** What copy_file_range says of files that it cannot copy. */
const UNSHARED = ['EXDEV', 'EINVAL', 'EOPNOTSUPP', 'ENOSYS'].map(errno);
