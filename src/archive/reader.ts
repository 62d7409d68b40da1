// A source of chunks -> as many bytes as one wants: a window over what has arrived, without copying what lies whole in one
// chunk. No more is held than a chunk and what was asked for.
//
// Nearly always it is there already. Who reads thousands of small things asks with `...Now` first: to wait for what is there
// costs more than to read it.

import type { ByteSource } from './source.ts';

export interface Reader {
  /** Bytes given so far. */
  readonly offset: number;
  /** So many bytes; fewer only where the source ends. They are valid until the next call. */
  take(length: number): Promise<Uint8Array>;
  /** The same if all of them are there; undefined: `take` may wait for them. */
  takeNow(length: number): Uint8Array | undefined;
  /** What has arrived, at least one byte and at most `most`; undefined where the source ends. */
  some(most: number): Promise<Uint8Array | undefined>;
  /** The same; undefined: nothing is there, and `some` may wait for it. */
  someNow(most: number): Uint8Array | undefined;
  /** What has arrived, up to and with the first such byte; none where the source ends. */
  until(byte: number): Promise<Uint8Array>;
  /** Whether the source has ended. */
  atEnd(): Promise<boolean>;
  /** Ends the source. */
  close(): Promise<void>;
}

/**
 * A window over a source; whoever makes it, closes it.
 * @throws what the source throws, from each of its functions
 */
export function readerOf(source: ByteSource): Reader {
  const chunks = source[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array();
  let at = 0;
  let offset = 0;

  /** Whether there is anything left. */
  const fill = async (): Promise<boolean> => {
    while (at === chunk.length) {
      const next = await chunks.next();
      if (next.done === true) return false;
      chunk = next.value;
      at = 0;
    }
    return true;
  };
  const window = (length: number): Uint8Array => {
    const bytes = chunk.subarray(at, at + length);
    at += bytes.length;
    offset += bytes.length;
    return bytes;
  };

  return {
    get offset() {
      return offset;
    },
    async take(length) {
      if (chunk.length - at >= length) return window(length);
      const whole = new Uint8Array(length);
      let used = 0;
      while (used < length && (await fill())) {
        const part = window(length - used);
        whole.set(part, used);
        used += part.length;
      }
      return whole.subarray(0, used);
    },
    takeNow: (length) => (chunk.length - at >= length ? window(length) : undefined),
    someNow: (most) => (at < chunk.length ? window(most) : undefined),
    async some(most) {
      return (await fill()) ? window(most) : undefined;
    },
    async until(byte) {
      if (!(await fill())) return new Uint8Array();
      const found = chunk.indexOf(byte, at);
      return window(found < 0 ? chunk.length - at : found + 1 - at);
    },
    async atEnd() {
      return !(await fill());
    },
    async close() {
      await chunks.return?.();
    },
  };
}
