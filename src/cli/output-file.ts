// A file of `-o`: whole or not there. It is written beside its place and renamed when all is well, unless what is there
// already is no regular file (/dev/null, a fifo), which is written to.

import { close, flag, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { type ByteSink, sinkOfFd } from '../archive/source.ts';
import { AT_FDCWD } from '../disk/files.ts';
import { S_IFREG, statInode } from '../disk/inode.ts';
import { errnos } from '../sys/errno.ts';

/**
 * Gives `write` a sink of the file.
 * @param path absolute; undefined: standard output
 * @throws SystemError, and what `write` throws; then nothing is left of the file
 */
export async function withOutput(
  path: string | undefined,
  write: (sink: ByteSink) => Promise<void>,
): Promise<void> {
  if (path === undefined) return write(sinkOfFd(1));
  const isFile = isFileOrMissing(path);
  const target = isFile ? `${path}.${process.pid}.partial` : path;
  const how = isFile ? flag('O_WRONLY', 'O_CREAT', 'O_TRUNC', 'O_NOFOLLOW') : flag('O_WRONLY');
  const fd = syscall(`write ${path}`, 'openat', AT_FDCWD, target, how | flag('O_CLOEXEC'), 0o600);
  try {
    await write(sinkOfFd(fd));
    if (isFile) syscall(`write ${path}`, 'renameat2', AT_FDCWD, target, AT_FDCWD, path, 0);
  } catch (error) {
    if (isFile) rawSyscall('unlinkat', AT_FDCWD, target, 0);
    throw error;
  } finally {
    close(fd);
  }
}

function isFileOrMissing(path: string): boolean {
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_PATH', 'O_CLOEXEC'), 0);
  if (fd === -errnos['ENOENT']!) return true;
  if (fd < 0) throw new SystemError(`write ${path}`, -fd);
  try {
    return statInode(fd, path).type === S_IFREG;
  } finally {
    close(fd);
  }
}
