// Layers made by hand: what overlayfs makes of them is seen in test/run/where.test.ts.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { entriesHidden } from '../../src/inspect/hidden-entries.ts';
import { copiesOf, type LayerCopy, shownOf } from '../../src/inspect/layers.ts';
import type { RootLayer } from '../../src/inspect/subject.ts';
import { runCommand } from '../support/container.ts';

/** Layers from the top down; a value is a file's text, null a whiteout, and a name that ends in / a directory. */
function withLayers(trees: Record<string, string | null>[], use: (layers: RootLayer[]) => void): void {
  const top = mkdtempSync('/tmp/tinyrun-layers-');
  try {
    const layers = trees.map((tree, index): RootLayer => {
      const path = `${top}/${index}`;
      mkdirSync(path);
      for (const [name, text] of Object.entries(tree)) fill(`${path}/${name}`, text);
      return { role: index === 0 ? 'upper' : 'image', path, number: trees.length - index };
    });
    use(layers);
  } finally {
    rmSync(top, { recursive: true });
  }
}

function fill(path: string, text: string | null): void {
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  if (path.endsWith('/')) return;
  if (text === null) command('mknod', path, 'c', '0', '0');
  else if (text.startsWith('->')) symlinkSync(text.slice(2), path);
  else writeFileSync(path, text);
}

function command(...words: string[]): void {
  const { code, stderr } = runCommand(words);
  if (code !== 0) throw new Error(stderr);
}

const statesOf = (copies: readonly LayerCopy[]): string[] =>
  copies.map(({ layer, state }) => `${layer.number} ${state}`);

test('layers: the topmost copy is shown, the lower ones are hidden by it', () =>
  withLayers([{}, { 'etc/a': 'new' }, { 'etc/a': 'old' }], (layers) => {
    const copies = copiesOf(layers, 'etc/a');
    assert.equal(statesOf(copies), ['2 shown', '1 hidden']);
    assert.is(copies[1]!.hiddenBy?.as, 'copy');
    assert.is(shownOf(copies)?.seen?.size, 3);
  }));

test('layers: a whiteout hides all below it, and what is made anew above it is shown', () =>
  withLayers([{ 'a/f': 'third' }, { 'a/f': null }, { 'a/f': 'first' }], (layers) => {
    assert.equal(statesOf(copiesOf(layers, 'a/f')), ['3 shown', '2 hidden', '1 hidden']);
    const [whiteout, hidden] = copiesOf(layers.slice(1), 'a/f');
    assert.is(whiteout!.state, 'whiteout');
    assert.is(whiteout!.seen, undefined);
    assert.equal(hidden!.hiddenBy, { layer: layers[1], path: '/a/f', as: 'whiteout' });
  }));

test('layers: a whiteout of a directory hides what was in it', () =>
  withLayers([{ a: null }, { 'a/b/f': 'x' }], (layers) => {
    const [hidden] = copiesOf(layers, 'a/b/f');
    assert.equal([hidden!.state, hidden!.hiddenBy?.path], ['hidden', '/a']);
  }));

test('layers: directories are merged, but not below an opaque one, nor with a file', () =>
  withLayers([{ 'd/x': '1' }, { 'd/y': '2' }, { 'd/z': '3' }], (layers) => {
    assert.equal(statesOf(copiesOf(layers, 'd')), ['3 shown', '2 merged', '1 merged']);
    command('setfattr', '-n', 'trusted.overlay.opaque', '-v', 'y', `${layers[1]!.path}/d`);
    assert.equal(statesOf(copiesOf(layers, 'd')), ['3 shown', '2 merged', '1 hidden']);
    const [z] = copiesOf(layers, 'd/z');
    assert.equal([z!.state, z!.hiddenBy?.as], ['hidden', 'opaque directory']);
    assert.equal(statesOf(copiesOf([layers[0]!, { ...layers[1]!, path: `${layers[2]!.path}/none` }], 'd')), [
      '3 shown',
    ]);
  }));

test('layers: a file above a directory ends it, a directory above a file as well', () =>
  withLayers([{ 'p/f': 'file' }, { 'p/f/': null }, { 'p/f/x': '' }], (layers) => {
    assert.equal(statesOf(copiesOf(layers, 'p/f')), ['3 shown', '2 hidden', '1 hidden']);
    assert.equal(statesOf(copiesOf(layers.slice(1), 'p/f')), ['2 shown', '1 merged']);
    assert.equal(copiesOf(layers, 'p/f/x')[0]!.hiddenBy?.path, '/p/f');
  }));

test('layers: no symlink of a layer leads out of it', () =>
  withLayers([{ out: '->/etc' }, {}], (layers) => {
    assert.equal(copiesOf(layers, 'out/passwd'), []);
    assert.is(shownOf(copiesOf(layers, 'out'))?.seen?.link, '/etc');
  }));

test('hidden entries: what the merged directory shows, without whiteouts', () =>
  withLayers(
    [
      { 'd/a': null, 'd/new': '' },
      { 'd/a': '1', 'd/b': '2' },
      { 'd/c': '3', 'd/b': '' },
    ],
    (layers) => {
      const hidden = entriesHidden(layers, '/d');
      assert.equal([hidden?.count, hidden?.names], [3, ['b', 'c', 'new']]);
      assert.is(entriesHidden(layers, '/none'), undefined);
      assert.is(entriesHidden(layers, '/d/b')?.count, 0);
    },
  ));

test.run();
