// Writing many small pieces to a sink through one buffer: headers, and the contents of files, read right into it. Nobody waits for
// a piece: who writes looks whether the buffer is full, and flushes it.

import { rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errno } from '../disk/inode.ts';
import type { ByteSink } from './source.ts';
import type { Region } from './sparse.ts';

export interface Output {
  /** Written so far, also what is still in the buffer. */
  readonly bytes: number;
  /** It is time to flush. */
  readonly full: boolean;
  put(bytes: Uint8Array): void;
  /**
   * Some bytes of a file from `offset` on, `most` at the most, as many as there is room for.
   * @param what begins the messages
   * @returns how many; 0 where the file ends
   * @throws SystemError
   */
  putFile(fd: number, offset: number, most: number, what: string): number;
  /** Some zeros, likewise. */
  putZeros(most: number): number;
  flush(): Promise<void>;
}

const SIZE = 2 ** 20;

/** A buffer in front of a sink; what is in it is lost without `flush`. */
export function outputTo(sink: ByteSink): Output {
  let buffer = new Uint8Array(SIZE);
  let used = 0;
  let flushed = 0;

  /** The part of the buffer that is free, no longer than wanted. */
  const room = (length: number): Uint8Array => buffer.subarray(used, Math.min(buffer.length, used + length));
  /** Of a header that is larger than what is free, which few are. */
  const grow = (length: number): void => {
    const larger = new Uint8Array(used + length);
    larger.set(buffer.subarray(0, used));
    buffer = larger;
  };

  return {
    get bytes() {
      return flushed + used;
    },
    get full() {
      return used >= SIZE / 2;
    },
    put(bytes) {
      if (bytes.length > buffer.length - used) grow(bytes.length);
      buffer.set(bytes, used);
      used += bytes.length;
    },
    putFile(fd, offset, most, what) {
      const free = room(most);
      let got: number;
      do got = rawSyscall('pread64', fd, free, free.length, offset);
      while (got === errno('EINTR'));
      if (got < 0) throw new SystemError(`${what}: read it`, -got);
      used += got;
      return got;
    },
    putZeros(most) {
      const { length } = room(most).fill(0);
      used += length;
      return length;
    },
    async flush() {
      if (used > 0) await sink.write(buffer.subarray(0, used));
      flushed += used;
      used = 0;
    },
  };
}

/**
 * All of a part of a file; zeros where the file ends before.
 * @param what begins the messages
 * @returns whether the file had all of it
 * @throws SystemError
 */
export async function putRegion(
  out: Output,
  fd: number,
  { offset, length }: Region,
  what: string,
): Promise<boolean> {
  let whole = true;
  for (let done = 0; done < length; ) {
    if (out.full) await out.flush();
    const left = length - done;
    const got = whole ? out.putFile(fd, offset + done, left, what) : out.putZeros(left);
    if (got === 0) whole = false;
    done += got;
  }
  return whole;
}
