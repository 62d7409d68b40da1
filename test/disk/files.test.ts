import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close, rawSyscall } from '../../native-bindings/libc.ts';
import {
  AT_FDCWD,
  exists,
  openDirectory,
  readDirectory,
  readSmall,
  removeTree,
} from '../../src/disk/files.ts';

/** Calls `use` with a directory and its fd. */
function withDirectory(use: (dir: string, fd: number) => void): void {
  const dir = mkdtempSync('/tmp/tinyrun-test-');
  const fd = openDirectory(AT_FDCWD, dir)!;
  try {
    use(dir, fd);
  } finally {
    close(fd);
    rmSync(dir, { recursive: true, force: true });
  }
}

test('openDirectory: nothing where there is no directory, be it a link to one', () => {
  withDirectory((dir, fd) => {
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('/', join(dir, 'link'));
    assert.is(openDirectory(fd, 'missing'), undefined);
    assert.is(openDirectory(fd, 'file'), undefined);
    assert.is(openDirectory(fd, 'link'), undefined);
  });
});

test('exists: a dangling symlink is there', () => {
  withDirectory((dir, fd) => {
    symlinkSync('nowhere', join(dir, 'link'));
    assert.is(exists(fd, 'link'), true);
    assert.is(exists(fd, 'nowhere'), false);
  });
});

test('readSmall: reads files longer than its first buffer, and not beyond the limit', () => {
  withDirectory((dir, fd) => {
    const text = 'äbc'.repeat(10_000);
    writeFileSync(join(dir, 'file'), text);
    assert.is(readSmall(fd, 'file'), text);
    assert.is(readSmall(fd, 'file', 4), 'äbc');
    assert.is(readSmall(fd, 'missing'), undefined);
  });
});

test('readDirectory: all names, also of directories that take several calls', () => {
  withDirectory((dir, fd) => {
    assert.equal(readDirectory(fd), []);
    const names = Array.from({ length: 1200 }, (_, i) => `name-${String(i).padStart(5, '0')}`);
    for (const name of names) writeFileSync(join(dir, name), '');
    assert.equal(readDirectory(fd).sort(), names);
  });
});

test('removeTree: removes a file, a directory, and what is not there', () => {
  withDirectory((dir, fd) => {
    writeFileSync(join(dir, 'file'), '');
    mkdirSync(join(dir, 'a/b/c'), { recursive: true });
    writeFileSync(join(dir, 'a/b/file'), '');
    for (const name of ['file', 'a', 'missing']) removeTree(fd, name);
    assert.equal(readdirSync(dir), []);
  });
});

test('removeTree: follows no symlink', () => {
  withDirectory((dir, fd) => {
    mkdirSync(join(dir, 'kept/inside'), { recursive: true });
    mkdirSync(join(dir, 'tree/a'), { recursive: true });
    symlinkSync(join(dir, 'kept'), join(dir, 'tree/a/link'));
    symlinkSync('../../kept', join(dir, 'tree/a/relative'));
    symlinkSync('kept', join(dir, 'top'));
    removeTree(fd, 'tree');
    removeTree(fd, 'top');
    assert.equal(readdirSync(dir), ['kept']);
    assert.is(existsSync(join(dir, 'kept/inside')), true);
  });
});

test('removeTree: removes what has no name in text, no rights, or is a fifo', () => {
  withDirectory((dir, fd) => {
    mkdirSync(join(dir, 'tree'));
    const tree = openDirectory(fd, 'tree')!;
    assert.is(rawSyscall('mkdirat', tree, new Uint8Array([0xff, 0xfe, 0x0a, 0]), 0), 0);
    assert.is(rawSyscall('mkdirat', tree, '-rf', 0), 0);
    assert.is(rawSyscall('mknodat', tree, 'fifo', 0o010600, 0), 0);
    close(tree);
    removeTree(fd, 'tree');
    assert.equal(readdirSync(dir), []);
  });
});

test('removeTree: removes directories nested deeper than paths and open files reach', () => {
  withDirectory((dir, fd) => {
    let here = openDirectory(fd, '.')!;
    for (let depth = 0; depth < 1100; depth++) {
      assert.is(rawSyscall('mkdirat', here, 'deep', 0o700), 0);
      if (depth % 100 === 0) assert.is(rawSyscall('mkdirat', here, 'tinyrun-moved-0', 0o700), 0);
      const next = openDirectory(here, 'deep')!;
      close(here);
      here = next;
    }
    close(here);
    removeTree(fd, 'deep');
    assert.equal(readdirSync(dir), ['tinyrun-moved-0']);
  });
});

test('removeTree: removes a directory of many entries', () => {
  withDirectory((dir, fd) => {
    mkdirSync(join(dir, 'tree'));
    for (let i = 0; i < 1200; i++) writeFileSync(join(dir, 'tree', `file-with-quite-a-long-name-${i}`), '');
    removeTree(fd, 'tree');
    assert.equal(readdirSync(dir), []);
  });
});

test.run();
