// What earlier runs have worked out and later ones use again: a folder of files in the state root, each a line of JSON and
// then bytes. Any of them may be removed at any time.
//
// The folder belongs to root alone, so what is in it was written by tinyrun; a file is written aside and renamed, so it is
// whole; and a damaged one is as good as none.

import { close, flag, rawSyscall, readInto, syscall, writeAll } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readDirectory } from '../disk/files.ts';
import { statPath } from './probe.ts';

export interface Kept {
  /** What the writer said of it; nobody has checked it. */
  header: unknown;
  body: Uint8Array<ArrayBuffer>;
}

const utf8 = new TextEncoder();
const decoder = new TextDecoder();

/** The file that was kept under a key; undefined where there is none, or a damaged one. */
export function findKept(root: string, folder: string, key: string): Kept | undefined {
  const directory = openFolder(root, folder);
  if (directory < 0) return undefined;
  const fd = rawSyscall('openat', directory, key, flag('O_RDONLY', 'O_CLOEXEC'));
  close(directory);
  if (fd < 0) return undefined;
  const bytes = readWhole(fd);
  close(fd);
  const end = bytes.indexOf(0x0a);
  if (end < 0) return undefined;
  try {
    return { header: JSON.parse(decoder.decode(bytes.subarray(0, end))), body: bytes.subarray(end + 1) };
  } catch {
    return undefined;
  }
}

/** Keeps a file with a header, as findKept reads it; the rest as keepFile. */
export const keep = (
  root: string,
  folder: string,
  key: string,
  header: object,
  body: Uint8Array,
  most: number,
): string | undefined =>
  keepFile(root, folder, key, [utf8.encode(`${JSON.stringify(header)}\n`), body], most);

/**
 * Keeps a file of these bytes. Returns why it could not, for --debug.
 * @param most a folder with more files than this is emptied first
 */
export function keepFile(
  root: string,
  folder: string,
  key: string,
  parts: readonly Uint8Array[],
  most: number,
): string | undefined {
  const directory = makeFolder(root, folder, most);
  if (directory < 0) return `${root}/${folder} cannot be used`;
  const aside = `.${key}.${process.pid}`;
  const how = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_CLOEXEC');
  const fd = rawSyscall('openat', directory, aside, how, 0o600);
  try {
    if (fd < 0) return `${root}/${folder} takes no file`;
    for (const part of parts) writeAll(fd, part);
    syscall('put a kept file into its place', 'renameat2', directory, aside, directory, key, 0);
    return undefined;
  } catch (error) {
    rawSyscall('unlinkat', directory, aside, 0);
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (fd >= 0) close(fd);
    close(directory);
  }
}

const [SEEK_SET, SEEK_END] = [0, 2];

function readWhole(fd: number): Uint8Array<ArrayBuffer> {
  const size = rawSyscall('lseek', fd, 0, SEEK_END);
  rawSyscall('lseek', fd, 0, SEEK_SET);
  const bytes = new Uint8Array(Math.max(size, 0));
  // A file here was renamed into its place when it was whole: less is of no use.
  return readInto(fd, bytes) === bytes.length ? bytes : new Uint8Array();
}

/** The folder, if it is root's alone; else a negative number. */
function openFolder(root: string, folder: string): number {
  const how = flag('O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC');
  const fd = rawSyscall('openat', AT_FDCWD, `${root}/${folder}`, how);
  if (fd < 0) return fd;
  const stat = statPath(`/proc/self/fd/${fd}`);
  if (typeof stat !== 'number' && stat.uid === 0 && (stat.mode & 0o077) === 0) return fd;
  close(fd);
  return -1;
}

/** The same, made where it is missing, and emptied where it has grown large. */
function makeFolder(root: string, folder: string, most: number): number {
  // Should more of the way be missing, the host program makes it, and the next run finds it.
  rawSyscall('mkdirat', AT_FDCWD, root, 0o711);
  rawSyscall('mkdirat', AT_FDCWD, `${root}/${folder}`, 0o700);
  const directory = openFolder(root, folder);
  if (directory < 0) return directory;
  const names = readDirectory(directory);
  if (names.length >= most) for (const name of names) rawSyscall('unlinkat', directory, name, 0);
  return directory;
}
