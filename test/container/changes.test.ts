import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findChanges } from '../../src/container/changes.ts';
import { runCommand } from '../support/container.ts';

/** Layers as lists of what is in them, topmost first: `dir/`, `file`, `-gone`, `opaque/!`. */
function changesOf(...layers: string[][]): string[] {
  const top = mkdtempSync('/tmp/tinyrun-test-changes-');
  try {
    const paths = layers.map((entries, i) => {
      const layer = join(top, String(i));
      mkdirSync(layer);
      for (const entry of entries) make(layer, entry);
      return layer;
    });
    return findChanges(paths[0]!, paths.slice(1)).map(({ kind, path }) => `${kind} ${path}`);
  } finally {
    rmSync(top, { recursive: true });
  }
}

function make(layer: string, entry: string): void {
  const path = join(layer, entry.replace(/^-|[!@]$/g, ''));
  if (entry.startsWith('-')) must(['mknod', path, 'c', '0', '0']);
  else if (entry.endsWith('/!')) must(['setfattr', '-n', 'trusted.overlay.opaque', '-v', 'y', path]);
  else if (entry.endsWith('/')) mkdirSync(path);
  else if (entry.endsWith('@')) symlinkSync('/etc', path);
  else writeFileSync(path, 'x');
}

function must(command: string[]): void {
  const { code, stderr } = runCommand(command);
  if (code !== 0) throw new Error(stderr);
}

test('findChanges: added, changed, deleted', () => {
  assert.equal(changesOf(['a', 'b', '-c'], ['b', 'c', 'd']), ['A /a', 'C /b', 'D /c']);
});

test('findChanges: a directory has changed with what is in it; a new one has only new things', () => {
  assert.equal(changesOf(['etc/', 'etc/x', 'new/', 'new/y'], ['etc/', 'etc/z']), [
    'C /etc',
    'A /etc/x',
    'A /new',
    'A /new/y',
  ]);
});

test('findChanges: what a middle layer has deleted is new', () => {
  assert.equal(changesOf(['a'], ['-a'], ['a']), ['A /a']);
});

test('findChanges: what a middle layer has deleted is not deleted again', () => {
  assert.equal(changesOf(['-a'], ['-a'], ['a']), []);
});

test('findChanges: an opaque directory has lost what it does not have itself', () => {
  assert.equal(changesOf(['d/', 'd/!', 'd/kept', 'd/new'], ['d/', 'd/middle'], ['d/', 'd/kept', 'd/lost']), [
    'C /d',
    'C /d/kept',
    'D /d/lost',
    'D /d/middle',
    'A /d/new',
  ]);
});

test('findChanges: below an opaque directory of a middle layer nothing counts', () => {
  assert.equal(changesOf(['d/', 'd/a'], ['d/', 'd/!'], ['d/', 'd/a']), ['C /d', 'A /d/a']);
});

test('findChanges: a file in the place of a directory, and the other way round', () => {
  assert.equal(changesOf(['a', 'b/', 'b/x'], ['a/', 'a/x', 'b']), ['C /a', 'C /b', 'A /b/x']);
});

test('findChanges: a symlink is not followed', () => {
  assert.equal(changesOf(['l@'], ['l/', 'l/passwd']), ['C /l']);
});

test.run();
