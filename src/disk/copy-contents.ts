// The bytes of one file into another, by the kernel alone: copy_file_range(2), which shares blocks where both are on a
// filesystem that can (btrfs, xfs), and sendfile(2) between different ones. Holes stay holes: lseek(2), "SEEK_DATA".

import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import { errno, must } from './inode.ts';

const [SEEK_SET, SEEK_DATA, SEEK_HOLE] = [flag('SEEK_SET'), flag('SEEK_DATA'), flag('SEEK_HOLE')];

/**
 * Copies a regular file.
 * @param from open for reading
 * @param to open for writing, empty
 * @param size bytes; a file that grows meanwhile is copied as far as this
 * @param what begins the messages
 * @throws SystemError
 */
export function copyContents(from: number, to: number, size: number, what: string): void {
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
    else if (copied !== errno('EINTR')) must(copied, what);
  }
}

/** What copy_file_range says of files that it cannot copy. */
const UNSHARED = ['EXDEV', 'EINVAL', 'EOPNOTSUPP', 'ENOSYS'].map(errno);
