// What a new file gets by itself. Where that is what an archive says of it, it need not be set: of an image most files are
// root's and 0644, and two calls for each of them are a sixth of the time.

import { close, flag, rawSyscall } from '../../native-bindings/libc.ts';
import { S_IFREG, statInode } from '../disk/inode.ts';

export interface NewFile {
  uid: number;
  gid: number;
  /** Permissions that are not taken away from what it is made with. */
  mode: number;
}

const TEMPORARY = flag('O_TMPFILE', 'O_WRONLY', 'O_CLOEXEC');

/**
 * Tries it out: umask, setgid bit, ACL and mount options all have their say. It holds for a directory and what is made below
 * it, as long as nobody else changes the directories there.
 * @param directory fd
 * @returns undefined where the filesystem makes no file without a name, or gives it an ACL
 * @throws SystemError
 */
export function tryNewFile(directory: number): NewFile | undefined {
  const fd = rawSyscall('openat', directory, '.', TEMPORARY, 0o777);
  if (fd < 0) return undefined;
  try {
    const { type, uid, gid, mode } = statInode(fd, 'look at a new file');
    return type === S_IFREG && rawSyscall('flistxattr', fd, null, 0) === 0 ? { uid, gid, mode } : undefined;
  } finally {
    close(fd);
  }
}
