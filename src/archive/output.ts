// Writing many small pieces to a sink through one buffer: headers, and the contents of files, read right into it.

import { rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errno } from '../disk/inode.ts';
import type { ByteSink } from './source.ts';

export interface Output {
  /** Written so far, also what is still in the buffer. */
  readonly bytes: number;
  put(bytes: Uint8Array): Promise<void>;
  /**
   * So many bytes of a file from `offset` on. Where it ends before, zeros; returns whether it had all of them.
   * @param what begins the messages
   * @throws SystemError
   */
  putFile(fd: number, offset: number, length: number, what: string): Promise<boolean>;
  flush(): Promise<void>;
}

const SIZE = 2 ** 20;

/** A buffer in front of a sink; what is in it is lost without `flush`. */
export function outputTo(sink: ByteSink): Output {
  const buffer = new Uint8Array(SIZE);
  let used = 0;
  let flushed = 0;

  const flush = async (): Promise<void> => {
    if (used > 0) await sink.write(buffer.subarray(0, used));
    flushed += used;
    used = 0;
  };
  /** The part of the buffer that is free, no longer than wanted. */
  const room = async (length: number): Promise<Uint8Array> => {
    if (used === SIZE) await flush();
    return buffer.subarray(used, Math.min(SIZE, used + length));
  };

  return {
    get bytes() {
      return flushed + used;
    },
    async put(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const free = await room(bytes.length - at);
        free.set(bytes.subarray(at, at + free.length));
        used += free.length;
        at += free.length;
      }
    },
    async putFile(fd, offset, length, what) {
      let whole = true;
      for (let done = 0; done < length; ) {
        const free = await room(length - done);
        let got = whole ? rawSyscall('pread64', fd, free, free.length, offset + done) : 0;
        if (got === errno('EINTR')) continue;
        if (got < 0) throw new SystemError(`${what}: read it`, -got);
        if (got === 0) {
          whole = false;
          free.fill(0);
          got = free.length;
        }
        used += got;
        done += got;
      }
      return whole;
    },
    flush,
  };
}
