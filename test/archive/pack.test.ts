// packTree: what goes into an archive, under which names, in which order. Needs root for whiteouts.

import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { syscall } from '../../native-bindings/libc.ts';
import { type Entry, readEntries } from '../../src/archive/entries.ts';
import { type PackOptions, packTree } from '../../src/archive/pack.ts';
import { sourceOfBytes } from '../../src/archive/source.ts';
import { messageOf, pack, unpack, withRoot } from '../support/archives.ts';
import { makeNode, S_IFCHR, S_IFSOCK } from '../support/trees.ts';

/** Name and type of each entry. */
async function listOf(root: string, options?: Partial<PackOptions>): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, type } of readEntries(sourceOfBytes(await pack(root, options))))
    found.push(type === 'file' || type === 'directory' ? name : `${name} ${type}`);
  return found;
}

function makeSample(root: string): void {
  for (const name of ['b', 'a/z', 'a/b', 'a.txt', 'c']) {
    mkdirSync(`${root}/${name}`.replace(/[^/]*$/, ''), { recursive: true });
    writeFileSync(`${root}/${name}`, name);
  }
}

test('a directory, then what is in it, sorted by bytes', () =>
  withRoot(async (root) => {
    makeSample(root);
    assert.equal(await listOf(root), ['./', 'a/', 'a/b', 'a/z', 'a.txt', 'b', 'c']);
  }));

test('include, enters, prefix and rename', () =>
  withRoot(async (root) => {
    makeSample(root);
    assert.equal(await listOf(root, { include: ['c', 'a'] }), ['a/', 'a/b', 'a/z', 'c']);
    assert.equal(await listOf(root, { include: ['a', 'no such'] }), ['a/', 'a/b', 'a/z']);
    assert.equal(await listOf(root, { enters: ({ path }) => path !== 'a', prefix: 'p/q' }), [
      ...['p/q/', 'p/q/a/', 'p/q/a.txt', 'p/q/b', 'p/q/c'],
    ]);
    const rename = (path: string): string | undefined =>
      path === '' ? undefined : path.replace(/^a(?=\/|$)/, 'new');
    assert.equal(await listOf(root, { include: ['a', 'b'], rename }), ['new/', 'new/b', 'new/z', 'b']);
  }));

test('hard links are links to the first of their names, and sockets are left out', () =>
  withRoot(async (root) => {
    writeFileSync(`${root}/z`, 'contents');
    linkSync(`${root}/z`, `${root}/a`);
    makeNode(`${root}/socket`, S_IFSOCK);
    assert.equal(await listOf(root), ['./', 'a', 'z link']);
    // Of those that are left out there is none to link to.
    assert.equal(await listOf(root, { include: ['z'] }), ['z']);
  }));

test("overlayfs's whiteouts become AUFS's names, and back", () =>
  withRoot(async (root, top) => {
    mkdirSync(`${root}/opaque`);
    writeFileSync(`${root}/opaque/new`, '');
    const value = Buffer.from('y');
    syscall('make it opaque', 'setxattr', `${root}/opaque`, 'trusted.overlay.opaque', value, 1, 0);
    makeNode(`${root}/gone`, S_IFCHR, 0, 0);
    const tar = await pack(root, { whiteouts: 'aufs' });
    assert.equal(await listOf(root, { whiteouts: 'aufs' }), [
      ...['./', '.wh.gone', 'opaque/', 'opaque/.wh..wh..opq', 'opaque/new'],
    ]);
    assert.equal(await listOf(root), ['./', 'gone character', 'opaque/', 'opaque/new']);
    mkdirSync(`${top}/again`);
    await unpack(`${top}/again`, tar, { whiteouts: 'overlay' });
    assert.ok(Buffer.from(await pack(`${top}/again`, { whiteouts: 'aufs' })).equals(tar));
  }));

test('a file of a whiteout`s name is refused in a layer: it would hide another', () =>
  withRoot(async (root) => {
    mkdirSync(`${root}/d`);
    writeFileSync(`${root}/d/.wh.passwd`, '');
    assert.is(
      await messageOf(pack(root, { whiteouts: 'aufs' })),
      'pack d/.wh.passwd: this name would be a whiteout',
    );
    assert.equal(await listOf(root), ['./', 'd/', 'd/.wh.passwd']);
  }));

test('a file that shrinks while it is read is filled up with zeros, and told', () =>
  withRoot(async (root) => {
    writeFileSync(`${root}/a`, Buffer.alloc(3_000_000, 1));
    const changed: string[] = [];
    const chunks: Uint8Array[] = [];
    const fd = openSync(root, 'r');
    await packTree(
      fd,
      {
        write(bytes) {
          if (chunks.length === 0) truncateSync(`${root}/a`, 2_000_000);
          chunks.push(bytes.slice());
        },
      },
      { whiteouts: 'plain', onChanged: (name) => changed.push(name) },
    );
    syscall('close', 'close', fd);
    assert.equal(changed, ['a']);
    const entries: Entry[] = [];
    for await (const entry of readEntries(sourceOfBytes(Buffer.concat(chunks)))) entries.push(entry);
    assert.is(entries.at(-1)!.size, 3_000_000);
  }));

test('a symlink is packed as one, and nothing behind it', () =>
  withRoot(async (root) => {
    const outside = mkdtempSync('/tmp/tinyrun-outside-');
    writeFileSync(`${outside}/secret`, '');
    symlinkSync(outside, `${root}/link`);
    assert.equal(await listOf(root), ['./', 'link symlink']);
    assert.equal(await listOf(root, { include: ['link'] }), ['link symlink']);
    rmSync(outside, { recursive: true });
  }));

test.run();
