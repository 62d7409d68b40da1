// A tree of every kind of file, packed and unpacked, by us and by tar(1): nothing is lost. Needs root.

import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packTree } from '../../src/archive/pack.ts';
import { sinkOfFd, sourceOfFile } from '../../src/archive/source.ts';
import { inPieces, pack, unpack, withRoot } from '../support/archives.ts';
import { describeTree, makeSparse, makeTree, type Tree } from '../support/trees.ts';

/** A tree as an archive can have it: sockets are left out. */
function packable(top: string): Tree {
  const tree = describeTree(top);
  delete tree['socket'];
  return tree;
}

function tar(...words: string[]): string {
  const older = words.some((word) => /^--format=(gnu|oldgnu|ustar)$/.test(word)); // these have none
  const xattrs = older ? [] : ['--xattrs', '--xattrs-include=*'];
  const { exitCode, stdout, stderr } = Bun.spawnSync(['tar', ...xattrs, ...words]);
  if (exitCode !== 0) throw new Error(`tar ${words.join(' ')}: ${stderr}`);
  return stdout.toString();
}

test('a tree of every kind of file is the same after packing and unpacking, and packs to the same bytes', () =>
  withRoot(async (root, top) => {
    mkdirSync(`${top}/from`);
    makeTree(`${top}/from`);
    const archive = await pack(`${top}/from`);
    await unpack(root, archive);
    assert.equal(packable(root), packable(`${top}/from`));
    assert.ok(Buffer.from(await pack(root)).equals(archive), 'other bytes');
  }));

test('what we pack, tar unpacks', () =>
  withRoot(async (root, top) => {
    mkdirSync(`${top}/from`);
    makeTree(`${top}/from`);
    writeFileSync(`${top}/a.tar`, await pack(`${top}/from`));
    tar('-xf', `${top}/a.tar`, '-C', root);
    assert.equal(packable(root), packable(`${top}/from`));
  }));

for (const format of ['posix', 'gnu', 'oldgnu', 'ustar'])
  test(`what tar packs as ${format}, we unpack`, () =>
    withRoot(async (root, top) => {
      const from = `${top}/from`;
      mkdirSync(from);
      makeTree(from);
      rmSync(`${from}/sub/link-to-fifo`); // tar makes two of it
      // Whole seconds: the older formats have no others. Sparse files are a case of their own.
      const files = `find ${from} -mindepth 1 ! -type s`;
      Bun.spawnSync([
        'sh',
        '-c',
        `${files} -exec touch -h -d @1000000001 {} + ; touch -d @1000000001 ${from}`,
      ]);
      const sparse = format === 'ustar' ? [] : ['--sparse'];
      const list = Bun.spawnSync(['sh', '-c', `cd ${from} && find . ! -type s`]).stdout;
      writeFileSync(`${top}/list`, list);
      tar(
        `--format=${format}`,
        ...sparse,
        '--no-recursion',
        '-cf',
        `${top}/a.tar`,
        '-C',
        from,
        '-T',
        `${top}/list`,
      );
      await unpack(root, sourceOfFile(`${top}/a.tar`));
      assert.equal(withoutXattrs(packable(root)), withoutXattrs(packable(from)));
    }));

/** Only pax has them. */
const withoutXattrs = (tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).map(([name, { attributes, ...facts }]) => [name, facts]));

for (const version of ['0.0', '0.1', '1.0'])
  test(`a sparse file of many pieces, as tar writes it in version ${version}`, () =>
    withRoot(async (root, top) => {
      const from = `${top}/from`;
      mkdirSync(from);
      makeSparse(join(from, 'end-in-hole'), 30_000_000, 5_000_000);
      makeSparse(join(from, 'end-in-data'), 9_000_001, 9_000_000);
      makePieces(join(from, 'pieces'), 60);
      tar(
        '--format=posix',
        '--sparse',
        `--sparse-version=${version}`,
        '-cf',
        `${top}/a.tar`,
        '-C',
        from,
        '.',
      );
      await unpack(root, sourceOfFile(`${top}/a.tar`));
      assert.equal(packable(root), packable(from));
    }));

test('a sparse file of many pieces, as tar writes it in the old GNU format', () =>
  withRoot(async (root, top) => {
    const from = `${top}/from`;
    mkdirSync(from);
    makePieces(join(from, 'pieces'), 60);
    utimesSync(join(from, 'pieces'), 1e9, 1e9);
    utimesSync(from, 1e9, 1e9);
    tar('--format=gnu', '--sparse', '-cf', `${top}/a.tar`, '-C', from, '.');
    await unpack(root, sourceOfFile(`${top}/a.tar`));
    assert.equal(packable(root), packable(from));
  }));

/** Pieces of data between holes; the last byte is one of a hole. */
function makePieces(path: string, count: number): void {
  const fd = openSync(path, 'w');
  closeSync(fd);
  const script = `for i in $(seq 1 ${count}); do printf "piece $i" | dd of=${path} bs=1 seek=$((i * 65536)) conv=notrunc status=none; done; truncate -s 10000000 ${path}`;
  Bun.spawnSync(['sh', '-c', script]);
}

test('a sparse file takes as little room unpacked as it did before', () =>
  withRoot(async (root, top) => {
    mkdirSync(`${top}/from`);
    makeSparse(`${top}/from/sparse`, 1_000_000_000, 500_000_000);
    const archive = await pack(`${top}/from`);
    assert.ok(archive.length < 20_000, `an archive of ${archive.length} bytes`);
    await unpack(root, archive);
    const blocks = Bun.spawnSync(['stat', '-c', '%b', `${root}/sparse`]).stdout.toString();
    assert.ok(Number(blocks) < 64, `${blocks} blocks`);
  }));

test('an archive is read alike in pieces of any length', () =>
  withRoot(async (_root, top) => {
    mkdirSync(`${top}/from`);
    makeTree(`${top}/from`);
    const archive = await pack(`${top}/from`, { rename: (path) => (path === 'large' ? undefined : path) });
    for (const length of [1, 7, 511, 512, 513, 10_000]) {
      mkdirSync(`${top}/${length}`);
      await unpack(`${top}/${length}`, inPieces(archive, length));
      assert.ok(Buffer.from(await pack(`${top}/${length}`)).equals(archive), `in pieces of ${length}`);
    }
  }));

test('names and targets of any length and any bytes', () =>
  withRoot(async (root, top) => {
    const from = `${top}/from`;
    const long = Array.from({ length: 12 }, (_, i) => 'abcdefghijkl'[i]!.repeat(200)).join('/');
    mkdirSync(join(from, long), { recursive: true });
    writeFileSync(join(from, long, 'file'), 'deep');
    symlinkSync('x'.repeat(4000), join(from, 'link'));
    for (const length of [99, 100, 101, 154, 155, 156, 255])
      writeFileSync(join(from, 'n'.repeat(length)), '');
    writeFileSync(join(from, 'naïve – 漢字'), 'text');
    const latin1 = Buffer.concat([Buffer.from(`${from}/`), Uint8Array.from([0xff, 0xfe, 0x20, 0x0a, 0x80])]);
    writeFileSync(latin1, 'no text');
    const archive = await pack(from);
    await unpack(root, archive);
    assert.ok(Buffer.from(await pack(root)).equals(archive));
    writeFileSync(`${top}/a.tar`, archive);
    mkdirSync(`${top}/other`);
    tar('-xf', `${top}/a.tar`, '-C', `${top}/other`);
    assert.ok(Buffer.from(await pack(`${top}/other`)).equals(archive), 'tar makes another tree of it');
  }));

test('numbers beyond octal digits: owners, times, and a file of 10 GB that is a hole', () =>
  withRoot(async (root, top) => {
    const from = `${top}/from`;
    mkdirSync(from);
    makeSparse(join(from, 'huge'), 10_000_000_000, 9_999_999_999);
    writeFileSync(join(from, 'owned'), '');
    Bun.spawnSync(['chown', '4294967294:3000000', join(from, 'owned')]);
    for (const [name, seconds] of Object.entries({ old: -1.25, future: 8_589_934_592.5 })) {
      writeFileSync(join(from, name), '');
      utimesSync(join(from, name), seconds, seconds);
    }
    const fd = openSync(`${top}/a.tar`, 'w');
    const root0 = openSync(from, 'r');
    await packTree(root0, sinkOfFd(fd, 'the archive'), { whiteouts: 'plain' });
    for (const open of [fd, root0]) closeSync(open);
    await unpack(root, sourceOfFile(`${top}/a.tar`));
    const facts = (folder: string): string =>
      Bun.spawnSync(['sh', '-c', `cd ${folder} && stat -c '%n %s %u %g %.9Y' *`]).stdout.toString();
    assert.is(facts(root), facts(from));
    mkdirSync(`${top}/other`);
    tar('-xf', `${top}/a.tar`, '-C', `${top}/other`);
    assert.is(facts(`${top}/other`), facts(from));
  }));

test.run();
