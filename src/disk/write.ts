// Writing what must survive: a file is whole or not there, and after a power cut it is the old one or the new one.

import { close, flag, rawSyscall, SystemError, syscall, writeAll } from '../../native-bindings/libc.ts';
import { errnos } from '../sys/errno.ts';
import { AT_FDCWD, DIRECTORY, modeOf, readNames } from './files.ts';

const utf8 = new TextEncoder();

/**
 * Writes a file aside (`.NAME.aside`), syncs it and renames it into its place, where one may be already.
 * The caller holds the lock of what the file belongs to: an aside file that a killed writer left is written over.
 * @param path of the file; its directory is there
 * @param mode of the file, less nothing: the umask does not count
 * @param durable false: it need not survive a power cut, and is not synced
 * @throws SystemError
 */
export function writeFileAtomic(
  path: string,
  contents: string | Uint8Array,
  mode = 0o600,
  durable = true,
): void {
  const slash = path.lastIndexOf('/');
  const directory = path.slice(0, slash);
  const aside = `${directory}/.${path.slice(slash + 1)}.aside`;
  const how = flag('O_WRONLY', 'O_CREAT', 'O_TRUNC', 'O_NOFOLLOW', 'O_CLOEXEC');
  const fd = syscall(`write ${path}`, 'openat', AT_FDCWD, aside, how, mode);
  try {
    writeAll(fd, typeof contents === 'string' ? utf8.encode(contents) : contents, aside);
    syscall(`set the mode of ${aside}`, 'fchmod', fd, mode);
    if (durable) syscall(`sync ${path}`, 'fsync', fd);
    syscall(`replace ${path}`, 'renameat2', AT_FDCWD, aside, AT_FDCWD, path, 0);
  } catch (error) {
    rawSyscall('unlinkat', AT_FDCWD, aside, 0);
    throw error;
  } finally {
    close(fd);
  }
  if (durable) syncDirectory(directory);
}

/**
 * Makes the names in a directory survive a power cut: fsync(2).
 * @throws SystemError
 */
export function syncDirectory(path: string): void {
  const fd = syscall(`open directory ${path}`, 'openat', AT_FDCWD, path, DIRECTORY, 0);
  try {
    syscall(`sync directory ${path}`, 'fsync', fd);
  } finally {
    close(fd);
  }
}

/**
 * Makes the files in a directory survive a power cut, and their names; not what is in directories there.
 * @throws SystemError
 */
export function syncFiles(directory: string): void {
  const folder = syscall(`open directory ${directory}`, 'openat', AT_FDCWD, directory, DIRECTORY, 0);
  try {
    for (const name of readNames(folder)) {
      const fd = rawSyscall('openat', folder, name, FILE, 0);
      if (fd === -errnos['ELOOP']!) continue; // a symlink, which is synced with the names
      if (fd < 0) throw new SystemError(`sync the files of ${directory}`, -fd);
      try {
        if (isRegular(fd)) syscall(`sync the files of ${directory}`, 'fsync', fd);
      } finally {
        close(fd);
      }
    }
    syscall(`sync directory ${directory}`, 'fsync', folder);
  } finally {
    close(folder);
  }
}
const FILE = flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC');

/**
 * Makes a directory, and those above it that are missing; one that is there stays as it is.
 * @param path absolute, without `.` and `..`
 * @param mode of what is made; that of the ones above is the same
 * @returns whether it was missing
 * @throws SystemError
 */
export function makeDirectories(path: string, mode = 0o711): boolean {
  const make = (): number => rawSyscall('mkdirat', AT_FDCWD, path, mode);
  let result = make();
  if (result === -errnos['ENOENT']! && path !== '/') {
    makeDirectories(path.slice(0, path.lastIndexOf('/')) || '/', mode);
    result = make(); // still ENOENT: what is above is a symlink to nothing
  }
  if (result < 0 && result !== -errnos['EEXIST']!) throw new SystemError(`make directory ${path}`, -result);
  return result === 0;
}

/**
 * Writes a file that people named: aside first (`NAME.PID.part`), so that a file that is there is replaced only by a whole one.
 * Something that is no file, as `/dev/null`, is written to as it is.
 * @param path absolute
 * @param work gets the descriptor; where it throws, nothing stays
 * @throws SystemError, and what `work` throws
 */
export async function withNewFile(path: string, work: (fd: number) => void | Promise<void>): Promise<void> {
  const special = rawSyscall('openat', AT_FDCWD, path, flag('O_WRONLY', 'O_CLOEXEC'), 0);
  try {
    if (special >= 0 && !isRegular(special)) return await work(special);
  } finally {
    if (special >= 0) close(special);
  }
  const aside = `${path}.${process.pid}.part`;
  const how = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_NOFOLLOW', 'O_CLOEXEC');
  const fd = syscall(`write ${path}`, 'openat', AT_FDCWD, aside, how, 0o600);
  try {
    await work(fd);
    syscall(`sync ${path}`, 'fsync', fd);
    syscall(`replace ${path}`, 'renameat2', AT_FDCWD, aside, AT_FDCWD, path, 0);
  } catch (error) {
    rawSyscall('unlinkat', AT_FDCWD, aside, 0);
    throw error;
  } finally {
    close(fd);
  }
}

/**
 * Opens a file that has no name on any filesystem: nobody else finds it, and nothing stays of it.
 * @param directory on the filesystem that has room for it
 * @throws SystemError
 */
export function openUnnamed(directory: string): number {
  const how = flag('O_RDWR', 'O_CLOEXEC');
  const fd = rawSyscall('openat', AT_FDCWD, directory, how | flag('O_TMPFILE'), 0o600);
  if (fd >= 0) return fd;
  if (fd !== -errnos['EOPNOTSUPP']!) throw new SystemError(`make a file in ${directory}`, -fd);
  const path = `${directory}/.spool.${process.pid}`;
  const named = syscall(`make ${path}`, 'openat', AT_FDCWD, path, how | flag('O_CREAT', 'O_TRUNC'), 0o600);
  rawSyscall('unlinkat', AT_FDCWD, path, 0);
  return named;
}

const isRegular = (fd: number): boolean => (modeOf(fd) & 0o170000) === 0o100000; // S_IFMT, S_IFREG: <linux/stat.h>
