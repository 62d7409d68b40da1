// Digests of what passes by, so that nothing is read twice: sha256, as images name everything.

import { type ByteSink, type ByteSource, watched } from './source.ts';

/** `sha256:` and 64 hexadecimal digits. */
export type Digest = string;

export interface Digesting {
  /** Of all that has passed; asked for at the end. */
  digest(): Digest;
  /** That have passed. */
  readonly bytes: number;
}

interface Counter extends Digesting {
  see(chunk: Uint8Array): void;
}

function counter(): Counter {
  const hasher = new Bun.CryptoHasher('sha256');
  let bytes = 0;
  let digest: Digest | undefined;
  return {
    see(chunk) {
      hasher.update(chunk);
      bytes += chunk.length;
    },
    digest() {
      digest ??= `sha256:${hasher.digest('hex')}`;
      return digest;
    },
    get bytes() {
      return bytes;
    },
  };
}

/** A source, and the digest of what was read of it. */
export interface DigestedSource extends Digesting {
  source: ByteSource;
}

/** The same source, hashed while it is read. */
export function digestingSource(source: ByteSource): DigestedSource {
  const count = counter();
  return Object.assign(count, { source: watched(source, count.see) });
}

/** The same sink, and the digest of what was written. */
export function digestingSink(sink: ByteSink): Digesting & ByteSink {
  const count = counter();
  return Object.assign(count, {
    write(bytes: Uint8Array) {
      count.see(bytes);
      return sink.write(bytes);
    },
  });
}

/** Of bytes that are there. */
export const digestOf = (bytes: Uint8Array | string): Digest =>
  `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;
