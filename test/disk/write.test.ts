// Files that must survive, and the lock of a directory.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withLock } from '../../src/disk/lock.ts';
import { makeDirectories, syncFiles, writeFileAtomic } from '../../src/disk/write.ts';

async function withFolder(use: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync('/tmp/tinyrun-test-');
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('writeFileAtomic: a file is replaced, and nothing stays beside it', () =>
  withFolder((folder) => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'one');
    writeFileAtomic(path, 'two', 0o644);
    assert.is(readFileSync(path, 'utf8'), 'two');
    assert.is(statSync(path).mode & 0o777, 0o644);
    assert.equal(readdirSync(folder), ['file']);
  }));

test('writeFileAtomic: what a killed writer left aside is written over', () =>
  withFolder((folder) => {
    writeFileSync(join(folder, '.file.aside'), 'a longer half of something');
    writeFileAtomic(join(folder, 'file'), 'new');
    assert.is(readFileSync(join(folder, 'file'), 'utf8'), 'new');
    assert.equal(readdirSync(folder), ['file']);
  }));

test('writeFileAtomic: a directory in the place of the file is told, and nothing stays aside', () =>
  withFolder((folder) => {
    mkdirSync(join(folder, 'file'));
    assert.throws(() => writeFileAtomic(join(folder, 'file'), 'new'), /replace .*EISDIR/);
    assert.equal(readdirSync(folder), ['file']);
  }));

test('makeDirectories: makes the ones above, and minds none that is there', () =>
  withFolder((folder) => {
    makeDirectories(join(folder, 'a/b/c'), 0o700);
    makeDirectories(join(folder, 'a/b/c'), 0o711);
    assert.is(statSync(join(folder, 'a/b/c')).mode & 0o777, 0o700);
  }));

test('makeDirectories: below a symlink that leads to nothing, and below a file, it says so', () =>
  withFolder((folder) => {
    symlinkSync(join(folder, 'nothing'), join(folder, 'link'));
    assert.throws(() => makeDirectories(join(folder, 'link/a/b')), /make directory .*link\/a: ENOENT/);
    writeFileSync(join(folder, 'file'), '');
    assert.throws(() => makeDirectories(join(folder, 'file/a')), /make directory .*file\/a: ENOTDIR/);
  }));

test('syncFiles: a symlink is synced with the names; what cannot be opened is told', () =>
  withFolder((folder) => {
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('file', join(folder, 'link'));
    mkdirSync(join(folder, 'directory'));
    syncFiles(folder);
    const server = Bun.listen({ unix: join(folder, 'socket'), socket: { data() {} } });
    try {
      assert.throws(() => syncFiles(folder), /sync the files of .*: ENXIO/);
    } finally {
      server.stop();
    }
  }));

test('withLock: one after the other, also between processes', () =>
  withFolder(async (folder) => {
    const module = new URL('../../src/disk/lock.ts', import.meta.url).pathname;
    const program = `
      import { withLock } from ${JSON.stringify(module)};
      import { readFileSync, writeFileSync } from 'node:fs';
      for (let i = 0; i < 50; i++) await withLock(${JSON.stringify(folder)}, async () => {
        const count = Number(readFileSync(${JSON.stringify(join(folder, 'count'))}, 'utf8'));
        await Bun.sleep(0);
        writeFileSync(${JSON.stringify(join(folder, 'count'))}, String(count + 1));
      });`;
    writeFileSync(join(folder, 'count'), '0');
    const children = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, '-e', program], { stderr: 'inherit' }),
    );
    const codes = await Promise.all(children.map((child) => child.exited));
    assert.equal(codes, [0, 0, 0, 0]);
    assert.is(readFileSync(join(folder, 'count'), 'utf8'), '200');
  }));

test('withLock: what throws releases it', () =>
  withFolder(async (folder) => {
    const failed = await withLock(folder, () => {
      throw new Error('no');
    }).catch((error: Error) => error.message);
    assert.is(failed, 'no');
    assert.is(await withLock(folder, () => existsSync(folder)), true);
  }));

test.run();
