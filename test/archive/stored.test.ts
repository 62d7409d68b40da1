// Archives read by another thread: the same bytes and digests as without one, below, at and above what the ring holds; ends that
// come early, and failures there that are told here.

import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digestOf } from '../../src/archive/digest.ts';
import { openAhead } from '../../src/archive/read-ahead.ts';
import type { ByteSource } from '../../src/archive/source.ts';
import { openArchive, openHere, type Stored } from '../../src/archive/stored.ts';
import { TinyrunError } from '../../src/errors.ts';
import { readText } from '../../src/runtime/probe.ts';
import { until } from '../support/container.ts';

const RING = 8 * 2 ** 20;

/** Calls `use` with a file of these bytes, as what is stored in it. */
async function withStored(bytes: Uint8Array, use: (stored: Stored) => Promise<void>): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const path = `${top}/file`;
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    await use({ fd, name: path, range: { offset: 0, size: statSync(path).size } });
  } finally {
    closeSync(fd);
    rmSync(top, { recursive: true });
  }
}

async function digestOfSource(source: ByteSource): Promise<string> {
  const hasher = new Bun.CryptoHasher('sha256');
  for await (const chunk of source) hasher.update(chunk);
  return `sha256:${hasher.digest('hex')}`;
}

const pattern = (size: number): Uint8Array => new Uint8Array(size).map((_, i) => (i * 7 + (i >> 9)) & 0xff);

for (const [way, open] of [
  ['with a thread', openAhead],
  ['without one', openHere],
] as const)
  for (const size of [0, 1, 2 ** 20, RING - 1, RING, RING + 1, 3 * RING + 12345])
    test(`${size} bytes ${way}: what they are, how many, and their digest`, () =>
      withStored(pattern(size), async (stored) => {
        let done = 0;
        const archive = open(stored, {
          advance: (bytes) => {
            done += bytes;
          },
        });
        try {
          assert.is(await digestOfSource(archive.source), digestOf(pattern(size)));
          assert.is(archive.bytes, size);
          assert.is(archive.digest(), digestOf(pattern(size)));
          assert.is(archive.storedDigest(), undefined);
          assert.is(done, size);
        } finally {
          archive.close();
        }
      }));

test('what is compressed has two digests', () => {
  const plain = pattern(3 * RING);
  const stored = gzipSync(plain, { level: 1 });
  return withStored(stored, async (file) => {
    const archive = openAhead(file, { digestStored: true });
    try {
      assert.is(await digestOfSource(archive.source), digestOf(plain));
      assert.is(archive.storedDigest(), digestOf(stored));
    } finally {
      archive.close();
    }
  });
});

test('a part of a file', () =>
  withStored(pattern(2 * RING), async ({ fd, name }) => {
    const archive = await openArchive({ fd, name, range: { offset: 1000, size: RING } });
    try {
      assert.is(
        await digestOfSource(archive.source),
        digestOf(pattern(2 * RING).subarray(1000, 1000 + RING)),
      );
    } finally {
      archive.close();
    }
  }));

test('a stream, which says not how long it is', async () => {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  try {
    Bun.spawnSync(['mkfifo', `${top}/pipe`]);
    const writer = Bun.spawn(['sh', '-c', `head -c 20000000 /dev/zero >${top}/pipe`]);
    const fd = openSync(`${top}/pipe`, 'r');
    const archive = await openArchive({ fd, name: 'a pipe', range: undefined });
    try {
      assert.is(await digestOfSource(archive.source), digestOf(new Uint8Array(20_000_000)));
    } finally {
      archive.close();
      closeSync(fd);
    }
    await writer.exited;
  } finally {
    rmSync(top, { recursive: true });
  }
});

/** What a read of all throws. */
async function failureOf(stored: Stored): Promise<unknown> {
  const archive = openAhead(stored, {});
  try {
    await digestOfSource(archive.source);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    archive.close();
  }
}

test('a file that ends too early', () =>
  withStored(pattern(RING), async ({ fd, name }) => {
    const error = await failureOf({ fd, name, range: { offset: 0, size: RING + 1 } });
    assert.ok(error instanceof TinyrunError && error.code === 'ARCHIVE');
    assert.is(error.message, `${name} has become shorter while it was read`);
  }));

test('what is damaged', () =>
  withStored(gzipSync(pattern(2 * RING)).fill(0, 1000, 2000), async (stored) => {
    const error = await failureOf(stored);
    assert.ok(error instanceof TinyrunError && error.code === 'ARCHIVE');
    assert.match(error.message, /^decompress the archive \(gzip\): /);
  }));

test('what cannot be read', async () => {
  const fd = openSync('/tmp', 'r');
  try {
    const error = await failureOf({ fd, name: 'a directory', range: undefined });
    assert.ok(error instanceof TinyrunError && error.code === 'HOST');
    assert.is(error.message, 'read a directory: EISDIR is a directory');
  } finally {
    closeSync(fd);
  }
});

/** Threads of ours that read archives; the engine calls them so. */
const readers = (): number =>
  readdirSync('/proc/self/task').filter((task) => readText(`/proc/self/task/${task}/comm`, 16) === 'Worker\n')
    .length;

test('who reads no more leaves no thread that waits', () =>
  withStored(pattern(4 * RING), async (stored) => {
    await until('those before have ended', () => readers() === 0);
    const archive = openAhead(stored, {});
    for await (const chunk of archive.source) {
      assert.is(chunk.length, 2 ** 20);
      break;
    }
    assert.is(readers(), 1);
    archive.close();
    await until('it has ended', () => readers() === 0);
  }));

test.run();
