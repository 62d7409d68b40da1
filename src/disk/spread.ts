// A hint for ext2, ext3 and ext4: the directories in this one have nothing to do with each other (chattr(1), `T`). Such are put
// into block groups of their own, far from each other. Without it, what is unpacked comes next to what was removed a moment ago,
// and ext4, which gives no inode of the last minute away, looks through all of those again for every file that is made: a
// layer of a thousand files takes ten times as long.

import { close, flag, rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY } from './files.ts';

const [GET, SET, TOPDIR] = [flag('FS_IOC_GETFLAGS'), flag('FS_IOC_SETFLAGS'), flag('FS_TOPDIR_FL')];

/**
 * Gives the hint. Other filesystems do not know it, and need none: no failure is one of the caller's.
 * @param path of a directory that was just made
 * @throws SystemError where it cannot be opened
 */
export function spreadDirectories(path: string): void {
  const fd = syscall(`open directory ${path}`, 'openat', AT_FDCWD, path, DIRECTORY, 0);
  try {
    const flags = new Uint32Array(2);
    const bytes = new Uint8Array(flags.buffer);
    if (rawSyscall('ioctl', fd, GET, bytes) < 0) return;
    flags[0]! |= TOPDIR;
    rawSyscall('ioctl', fd, SET, bytes);
  } finally {
    close(fd);
  }
}
