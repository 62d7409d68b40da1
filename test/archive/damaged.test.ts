// Archives that are cut off or damaged: one clear error, whatever the damage; no crash, no endless loop, nothing outside of
// the root, and no archive that is taken for whole although it is not. No root needed.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SystemError } from '../../native-bindings/libc.ts';
import { readEntries } from '../../src/archive/entries.ts';
import { encodeBlock } from '../../src/archive/header.ts';
import { sourceOfBytes } from '../../src/archive/source.ts';
import { checkMap } from '../../src/archive/sparse.ts';
import { TinyrunError } from '../../src/errors.ts';
import { type Made, makeTar, messageOf, unpack, withRoot } from '../support/archives.ts';

/** One of each form of header. */
const SAMPLE: readonly Made[] = [
  { name: 'd/', type: 'directory', mode: 0o755 },
  { name: 'd/file', data: 'contents' },
  { name: `d/${'long'.repeat(40)}`, data: 'x'.repeat(700), xattrs: [['user.test', Buffer.from('value')]] },
  { name: 'd/link', type: 'link', link: 'd/file' },
  { name: 'd/symlink', type: 'symlink', link: 'file' },
  { name: 'd/fifo', type: 'fifo' },
  {
    name: 'd/sparse',
    size: 100_000,
    data: 'y'.repeat(1024),
    regions: [
      { offset: 4096, length: 512 },
      { offset: 90_000, length: 512 },
    ],
  },
  { name: 'd/time', data: '', mtime: { seconds: 1, nanoseconds: 5 } },
];

/** What an archive comes to: its entries with their contents, or why not. Anything else is a mistake of ours. */
async function outcome(tar: Uint8Array): Promise<string[] | TinyrunError> {
  const found: string[] = [];
  try {
    for await (const entry of readEntries(sourceOfBytes(tar), { limits: { bytes: 1_000_000 } })) {
      let bytes = 0;
      for (let chunk = await entry.read(2 ** 20); chunk !== undefined; chunk = await entry.read(2 ** 20))
        bytes += chunk.length;
      found.push(`${entry.name} ${entry.size} ${bytes}`);
    }
    return found;
  } catch (error) {
    if (error instanceof TinyrunError && error.code === 'ARCHIVE') return error;
    throw error;
  }
}

test('cut off after any byte of a header, and anywhere else: an error', async () => {
  const tar = makeTar(...SAMPLE);
  const whole = tar.length - 1024;
  for (let length = 0; length < whole + 512; length += length % 512 < 3 ? 1 : 127) {
    const result = await outcome(tar.subarray(0, length));
    assert.ok(result instanceof TinyrunError, `an archive of ${length} bytes was taken for whole`);
    assert.match(result.message, /the archive is cut off$/);
  }
  // One block of zeros marks the end; the second one is often missing.
  assert.is(((await outcome(tar.subarray(0, whole + 512))) as string[]).length, SAMPLE.length);
});

test('an archive of nothing, of text, of zeros', async () => {
  assert.is(
    String(await outcome(new Uint8Array())),
    'TinyrunError: read the archive, at its beginning: the archive is cut off',
  );
  assert.match(
    String(await outcome(Buffer.alloc(2000, 'text'))),
    /the header is damaged: checksum is no octal number$/,
  );
  assert.equal(await outcome(new Uint8Array(1024)), []);
});

/** Numbers that are the same in each run: mulberry32. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
}

/** Sets the checksum of a block right again, so that the damage is looked at. */
function repair(tar: Uint8Array, at: number): void {
  tar.fill(0x20, at + 148, at + 156);
  const sum = tar.subarray(at, at + 512).reduce((all, byte) => all + byte, 0);
  tar.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), at + 148);
}

test('any bytes of an archive changed: an error, or other contents, and never anything else', async () => {
  const random = randomNumbers(1);
  const tar = makeTar(...SAMPLE);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const copy = tar.slice();
    for (let i = random(4); i >= 0; i--) copy[random(copy.length)] = random(256);
    if ((await outcome(copy)) instanceof TinyrunError) refused++;
  }
  assert.ok(refused > 500, `${refused} were refused`);
});

test('headers of any bytes with a right checksum, unpacked: an error, or files below the root', () =>
  withRoot(async (root, top) => {
    mkdirSync(`${top}/victim`);
    writeFileSync(`${top}/victim/file`, 'untouched');
    const random = randomNumbers(2);
    const tar = makeTar({ name: 'up', type: 'symlink', link: '..' }, ...SAMPLE);
    const names = ['../victim/file', '/victim/file', 'up/victim/file', 'd', 'd/file', 'up', '.', '', 'd/..'];
    const types = '0123456gxLKSV\0\xff7A';
    for (let round = 0; round < 1500; round++) {
      const copy = tar.slice();
      for (let i = random(3); i >= 0; i--) {
        const at = 512 * random(copy.length / 512);
        const what = random(4);
        const name = Buffer.from(`${names[random(names.length)]}\0`);
        if (what === 0) copy.set(name, at);
        else if (what === 1) copy[at + 156] = types.charCodeAt(random(types.length));
        else if (what === 2) copy.set(name, at + 157);
        else copy[at + 100 + random(400)] = random(256);
        repair(copy, at);
      }
      mkdirSync(`${root}/${round}`);
      try {
        await unpack(`${root}/${round}`, copy, {
          whiteouts: (['overlay', 'plain'] as const)[round % 2]!,
          limits: { bytes: 1_000_000 },
          mapOwner: () => ({ uid: process.getuid!(), gid: process.getgid!() }),
        });
      } catch (error) {
        const known = error instanceof TinyrunError ? error.code === 'ARCHIVE' : error instanceof SystemError;
        if (!known) throw error;
      }
    }
    assert.equal(readdirSync(top).sort(), ['root', 'victim']);
    assert.equal(readdirSync(`${top}/victim`), ['file']);
    assert.is(readFileSync(`${top}/victim/file`, 'utf8'), 'untouched');
  }));

const header = (type: string, payload: Uint8Array, fields: object = {}): Uint8Array => {
  const block = encodeBlock({
    ...{ name: 'x', mode: 0o644, uid: 0, gid: 0, mtime: 0, link: '', major: 0, minor: 0 },
    ...fields,
    type,
    size: payload.length,
  });
  return Buffer.concat([block, payload, new Uint8Array((512 - (payload.length % 512)) % 512)]);
};

/** An archive with a pax header of this text before its entry. */
const withRecords = (text: string): Uint8Array =>
  Buffer.concat([header('x', Buffer.from(text, 'latin1')), makeTar({ name: 'a', data: 'abc' })]);

const damagedRecords: Readonly<Record<string, RegExp>> = {
  'no record': /a pax header is damaged: no record at byte 0$/,
  '5 a=b\n': /no record at byte 0$/,
  '999 a=b\n': /no record at byte 0$/,
  '-7 a=b\n': /no record at byte 0$/,
  '6 a=b\nx': /no record at byte 6$/,
  '6 abc\n': /a record without a key at byte 0$/,
  '6 =bc\n': /a record without a key at byte 0$/,
  '11 size=-1\n': /size is "-1"$/,
  '13 size=1e99\n': /size is "1e99"$/,
  '28 size=9999999999999999999\n': /size is "9999999999999999999"$/,
  '14 mtime=noon\n': /mtime is "noon"$/,
  '12 path=a\0b\n': /path has a NUL in it$/,
  '18 SCHILY.xattr.=\n': /an extended attribute without a name$/,
  '22 GNU.sparse.major=2\n': /unknown version 2\.$/,
  '22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n': /it has no size$/,
  '20 GNU.sparse.map=0\n21 GNU.sparse.size=10\n': /an offset without a length$/,
  '22 GNU.sparse.map=x,1\n21 GNU.sparse.size=10\n': /"x" is no number$/,
  '24 GNU.sparse.map=0,500\n21 GNU.sparse.size=10\n': /data up to 500 in a file of 10 bytes$/,
  '22 GNU.sparse.map=0,2\n21 GNU.sparse.size=10\n': /it has 2 bytes of data, the archive 3$/,
  '28 GNU.sparse.map=0,2,1,1\n21 GNU.sparse.size=10\n': /data at 1 begins before 2$/,
};
for (const [text, expected] of Object.entries(damagedRecords))
  test(`a pax header ${JSON.stringify(text)}`, async () => {
    assert.match(String(await outcome(withRecords(fixLengths(text)))), expected);
  });

/** Records of known keys get their right length, so that their values are what is wrong. */
function fixLengths(text: string): string {
  if (!/ (GNU|SCHILY|size=|mtime|path)/.test(text)) return text;
  return text.replace(/\d+ ([^\n]+)\n/g, (_, rest: string) => {
    let length = rest.length + 3;
    length = rest.length + 2 + String(length).length;
    return `${length} ${rest}\n`;
  });
}

test('a map with a piece of less than nothing, whose sum is right', () => {
  const regions = [
    { offset: 0, length: 10 },
    { offset: 10, length: -5 },
    { offset: 5, length: 5 },
  ];
  assert.throws(() => checkMap({ size: 10, regions }, 10), /data of -5 bytes/);
});

test('the map of a sparse file in front of its data: without an end, of too many pieces, beyond the data', async () => {
  const sparse = (body: string): Uint8Array =>
    Buffer.concat([
      header('x', Buffer.from('22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.realsize=9\n')),
      header('0', Buffer.from(body)),
      new Uint8Array(1024),
    ]);
  const cases: Readonly<Record<string, RegExp>> = {
    '': /the map of a sparse file is damaged: it has no end$/,
    '7\n': /it has no end$/,
    '9999999\n': /9999999 pieces, more than 100000$/,
    'x\n': /"x" is no number$/,
    ['1'.repeat(2000)]: /a line without an end$/,
  };
  for (const [body, expected] of Object.entries(cases))
    assert.match(String(await outcome(sparse(body))), expected);
});

test("a header that claims more than the archive has, and old GNU's map without an end", async () => {
  const claiming = Buffer.concat([
    header('x', new Uint8Array(100_000)).subarray(0, 512),
    new Uint8Array(512),
  ]);
  assert.match(String(await outcome(claiming)), /cut off$/);
  const block = header('S', new Uint8Array());
  block[482] = 1; // another block of the map follows
  repair(block, 0);
  const more = new Uint8Array(512);
  more[504] = 1;
  const endless = Buffer.concat([block, ...Array(3000).fill(more)]);
  assert.match(String(await outcome(endless)), /it is larger than 1000000 bytes$|larger than 1048576 bytes$/);
});

test('numbers in a header: octal, base 256, negative, beyond what a file can have', async () => {
  const withSize = (...bytes: number[]): Uint8Array => {
    const tar = makeTar({ name: 'a', data: '' });
    tar.fill(0, 124, 136);
    tar.set(bytes, 124);
    repair(tar, 0);
    return tar;
  };
  assert.equal(await outcome(withSize(...Buffer.from('00000000000'))), ['a 0 0']);
  assert.equal(await outcome(withSize(...Buffer.from('  0 '))), ['a 0 0']);
  assert.match(
    String(await outcome(withSize(...Buffer.from('9')))),
    /the header is damaged: size is no octal number$/,
  );
  assert.match(String(await outcome(withSize(0xff, ...Array(11).fill(0xff)))), /a has a negative size$/);
  assert.match(
    String(await outcome(withSize(0x80, ...Array(11).fill(0xff)))),
    /size is \d+, beyond what a file can have$/,
  );
});

test('the message names the entry before the damage', async () => {
  const tar = Buffer.concat([
    makeTar({ name: 'first', data: 'x' }, { name: 'second', data: 'y' }).subarray(0, 2048),
    Buffer.alloc(512, 1),
  ]);
  const message = await messageOf(
    (async () => {
      for await (const _ of readEntries(sourceOfBytes(tar)));
    })(),
  );
  assert.match(message, /^read the archive, at or behind entry 2, second: the header is damaged/);
});

test.run();
