// What a container has printed, read from the files that its monitor writes (plan/output-log.ts has the form of a record):
// log.N the oldest, log the one that is being written. All may be renamed while they are read; open files are told apart by
// what they are, not by their names.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, listDirectory } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { CHUNK, RECORD_HEADER } from '../plan/output-log.ts';
import { errnos } from '../sys/errno.ts';

export interface LogRecord {
  /** 1 stdout, 2 stderr; 0 (LOST): output was lost here. */
  stream: number;
  /** When it was read from the container: nanoseconds since 1970. */
  time: bigint;
  /** Valid until the next record is asked for. */
  bytes: Uint8Array;
}

interface LogFile {
  fd: number;
  inode: string;
  /** Where the next record starts. */
  at: number;
}

/** How far a reader has come. */
export interface LogCursor {
  directory: string;
  /** Oldest first; the first is the one that is read. */
  files: LogFile[];
}

/** Opens the files of a container's directory at the oldest record. */
export function openLog(directory: string): LogCursor {
  return { directory, files: openNewer(directory, undefined) };
}

/** Opens them behind all that is there. */
export function openLogAtEnd(directory: string): LogCursor {
  const cursor = openLog(directory);
  for (const { fd } of cursor.files.splice(0, cursor.files.length - 1)) close(fd);
  for (const file of cursor.files) file.at = endOfRecords(file.fd);
  return cursor;
}

/** Closes the files that a cursor has open. */
export function closeLog({ files }: LogCursor): void {
  for (const { fd } of files.splice(0)) close(fd);
}

/**
 * All records that are there and were not read yet; called again, those that came since.
 * @throws TinyrunError HOST if a file is no log
 */
export function* readRecords(cursor: LogCursor): Generator<LogRecord> {
  const { directory, files } = cursor;
  for (;;) {
    const file = files[0];
    if (file !== undefined) yield* recordsOf(file);
    if (files.length < 2) files.push(...openNewer(directory, file?.inode));
    if (file === undefined) {
      if (files.length === 0) return;
      continue;
    }
    if (files.length < 2) return;
    yield* recordsOf(file); // what came before it was renamed
    close(file.fd);
    files.shift();
  }
}

/**
 * Cuts off a record that was not wholly written, which a monitor leaves that was killed in the middle. Nobody else may be
 * writing.
 * @throws SystemError
 */
export function repairLog(directory: string): void {
  const fd = rawSyscall('openat', AT_FDCWD, `${directory}/log`, flag('O_RDWR', 'O_NOFOLLOW', 'O_CLOEXEC'), 0);
  if (fd === -errnos['ENOENT']!) return;
  if (fd < 0) throw new SystemError(`open ${directory}/log`, -fd);
  const result = rawSyscall('ftruncate', fd, endOfRecords(fd));
  close(fd);
  if (result < 0) throw new SystemError(`shorten ${directory}/log`, -result);
}

/** Behind whom the files are renamed all the time, that one takes what there is. */
const MOST_TRIES = 100;

/**
 * The files that are newer than the one with this inode, all where it is not there (any more): looked for again where they were
 * renamed meanwhile, or some would be missed.
 */
function openNewer(directory: string, inode: string | undefined): LogFile[] {
  for (let tries = 1; ; tries++) {
    const newest = newestIn(directory);
    const files = openFiles(directory, inode);
    if (newest === newestIn(directory) || tries === MOST_TRIES) return files;
    closeLog({ directory, files });
  }
}

/** What tells the file that is being written; undefined where there is none, as for a moment between two. */
function newestIn(directory: string): string | undefined {
  const file = openFile(`${directory}/log`);
  if (file !== undefined) close(file.fd);
  return file?.inode;
}

function openFiles(directory: string, inode: string | undefined): LogFile[] {
  const found: LogFile[] = [];
  for (const name of namesIn(directory)) {
    const file = openFile(`${directory}/${name}`);
    if (file === undefined) continue;
    const known = file.inode === inode || found.some((other) => other.inode === file.inode);
    if (known) close(file.fd);
    else found.unshift(file);
    if (file.inode === inode) break;
  }
  return found;
}

/** The newest first. */
function namesIn(directory: string): string[] {
  const number = (name: string): number => Number(name.slice('log.'.length) || 0);
  return listDirectory(directory)
    .filter((name) => /^log(\.[1-9]\d*)?$/.test(name))
    .sort((a, b) => number(a) - number(b));
}

function openFile(path: string): LogFile | undefined {
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_RDONLY', 'O_NOFOLLOW', 'O_CLOEXEC'), 0);
  if (fd === -errnos['ENOENT']!) return undefined; // renamed or removed since it was listed
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  return { fd, inode: inodeOf(fd), at: 0 };
}

const STATX_INO = 0x100; // <linux/stat.h>

/** Device and inode. */
function inodeOf(fd: number): string {
  const buffer = new Uint8Array(256);
  const result = rawSyscall('statx', fd, '', flag('AT_EMPTY_PATH'), STATX_INO, buffer);
  if (result < 0) throw new SystemError('statx', -result);
  const view = new DataView(buffer.buffer);
  const [inode, major, minor] = [
    view.getBigUint64(32, true),
    view.getUint32(136, true),
    view.getUint32(140, true),
  ];
  return `${major}:${minor}:${inode}`;
}

const BUFFER = 64 * 1024; // bytes; longer than any record

/** The whole records from a file's place on. */
function* recordsOf(file: LogFile): Generator<LogRecord> {
  const buffer = new Uint8Array(BUFFER);
  for (;;) {
    const size = readAt(file.fd, buffer, file.at);
    let used = 0;
    for (;;) {
      const header = headerAt(buffer, used, size);
      if (header === undefined) break;
      const { length, stream, time } = header;
      const start = used + RECORD_HEADER;
      if (start + length > size) break;
      used = start + length;
      file.at += RECORD_HEADER + length;
      yield { stream, time, bytes: buffer.subarray(start, used) };
    }
    if (used === 0) return;
  }
}

/** undefined: there is no whole header. */
function headerAt(
  buffer: Uint8Array,
  at: number,
  size: number,
): { length: number; stream: number; time: bigint } | undefined {
  if (at + RECORD_HEADER > size) return undefined;
  const view = new DataView(buffer.buffer, at, RECORD_HEADER);
  const [length, stream] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (length > CHUNK || stream > 2)
    throw new TinyrunError('HOST', 'read the log: it is damaged', {
      hint: "its file is `log` in the container's directory, which `tinyrun inspect` shows as LogPath",
    });
  return { length, stream, time: view.getBigInt64(8, true) * 1_000_000_000n + view.getBigInt64(16, true) };
}

/** Where the last whole record ends: a walk over all headers. */
function endOfRecords(fd: number): number {
  const file: LogFile = { fd, inode: '', at: 0 };
  const header = new Uint8Array(RECORD_HEADER);
  const end = rawSyscall('lseek', fd, 0, flag('SEEK_END'));
  for (;;) {
    if (readAt(fd, header, file.at) < RECORD_HEADER) return file.at;
    const next = file.at + RECORD_HEADER + (headerAt(header, 0, RECORD_HEADER)?.length ?? 0);
    if (next > end) return file.at;
    file.at = next;
  }
}

function readAt(fd: number, buffer: Uint8Array, at: number): number {
  const size = rawSyscall('pread64', fd, buffer, buffer.length, at);
  if (size < 0) throw new SystemError('read the log', -size);
  return size;
}
