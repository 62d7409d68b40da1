// Streams of bytes, read and written with backpressure: whoever reads waits for the next chunk, whoever writes for the
// sink to be done with the last. A chunk may be used until the next one is asked for, or until write has resolved.

import { close, flag, rawSyscall, SystemError, writeAll } from '../../native-bindings/libc.ts';
import { AT_FDCWD } from '../disk/files.ts';
import { errno } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';

export type ByteSource = AsyncIterable<Uint8Array>;

export interface ByteSink {
  /** Resolves when `bytes` may be changed by its owner. */
  write(bytes: Uint8Array): void | Promise<void>;
}

/** Bytes read at once. */
const CHUNK = 256 * 1024;

/**
 * What a descriptor gives, to its end: of a file, a pipe, standard input. It is not closed.
 * @param name of what is read, for messages
 * @throws SystemError while it is read
 */
export async function* sourceOfFd(fd: number, name: string): ByteSource {
  // One for all: a new one each time takes longer than to read it.
  const buffer = new Uint8Array(CHUNK);
  for (;;) {
    const got = rawSyscall('read', fd, buffer, buffer.length);
    if (got === 0) return;
    if (got > 0) yield got === buffer.length ? buffer : buffer.subarray(0, got);
    else if (got === errno('EAGAIN'))
      await Bun.sleep(1); // a terminal or pipe that another has made O_NONBLOCK
    else if (got !== errno('EINTR')) throw new SystemError(`read ${name}`, -got);
  }
}

/**
 * A part of a file, wherever others read it just now. It is not closed.
 * @param name of what is read, for messages
 * @throws SystemError while it is read; TinyrunError ARCHIVE where the file ends before
 */
export async function* sourceOfRange(fd: number, { offset, size }: Range, name: string): ByteSource {
  const buffer = new Uint8Array(Math.min(CHUNK, size));
  for (let at = 0; at < size; ) {
    const got = rawSyscall('pread64', fd, buffer, Math.min(buffer.length, size - at), offset + at);
    if (got < 0) throw new SystemError(`read ${name}`, -got);
    if (got === 0) throw new TinyrunError('ARCHIVE', `${name} has become shorter while it was read`);
    at += got;
    yield got === buffer.length ? buffer : buffer.subarray(0, got);
  }
}

/** Bytes of a file. */
export interface Range {
  offset: number;
  size: number;
}

/**
 * The contents of a file, opened when they are asked for.
 * @throws SystemError
 */
export async function* sourceOfFile(path: string): ByteSource {
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_RDONLY', 'O_CLOEXEC'), 0);
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  try {
    yield* sourceOfFd(fd, path);
  } finally {
    close(fd);
  }
}

/** Bytes that are there already. */
export async function* sourceOfBytes(...chunks: readonly Uint8Array[]): ByteSource {
  yield* chunks;
}

/**
 * Writes to a descriptor, which is not closed.
 * @param name of what is written, for messages
 */
export const sinkOfFd = (fd: number, name: string): ByteSink => ({
  write: (bytes) => writeAll(fd, bytes, name),
});

/** All of a source at once. For what is small: it ends with an error behind `limit` bytes. */
export async function readAll(source: ByteSource, limit: number, tooLong: () => Error): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLong();
    chunks.push(chunk.slice());
  }
  return Buffer.concat(chunks);
}

/** A source that also tells each chunk to somebody who counts. */
export async function* watched(source: ByteSource, see: (chunk: Uint8Array) => void): ByteSource {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}
