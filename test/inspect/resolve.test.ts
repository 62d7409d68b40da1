import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { type Look, resolveInside } from '../../src/inspect/view.ts';
import { seenFile } from '../support/seen.ts';

/** A tree of directories and symlinks: path -> '' or where the link points to. */
const tree =
  (files: Record<string, string>): Look =>
  (path) => {
    const found = path === '/' ? '' : files[path];
    return found === undefined ? undefined : seenFile({ link: found || undefined });
  };

const LOOK = tree({
  '/run': '',
  '/run/x': '',
  '/var': '',
  '/var/run': '../run',
  '/abs': '/run/x',
  '/out': '../../../../run',
  '/a': 'b',
  '/b': 'a',
  '/dangling': '/none/at/all',
});

test('resolve: symlinks start at the root of the container and do not leave it', () => {
  const paths: Record<string, string> = {
    '/var/run/x': '/run/x',
    '/var/run': '/run',
    '/abs': '/run/x',
    '/abs/../..': '/',
    '/out/x': '/run/x',
    '/../../run': '/run',
    '//run/./x/': '/run/x',
    'run/x': '/run/x',
    '/dangling': '/none/at/all',
    '/run/new/file': '/run/new/file',
    '/': '/',
  };
  for (const [path, resolved] of Object.entries(paths))
    assert.is(resolveInside(LOOK, path, true).path, resolved, path);
});

test('resolve: tells the links, and how far the path is there', () => {
  const { links, deepest, seen: there } = resolveInside(LOOK, '/var/run/new/file', true);
  assert.equal(links, [{ path: '/var/run', target: '../run' }]);
  assert.is(deepest, '/run');
  assert.is(there, undefined);
});

test('resolve: the last symlink is left alone if that is asked for', () => {
  assert.is(resolveInside(LOOK, '/abs', false).path, '/abs');
  assert.is(resolveInside(LOOK, '/abs/', false).path, '/abs');
  assert.is(resolveInside(LOOK, '/var/run/x', false).path, '/run/x');
});

test('resolve: symlinks without end are refused', () => {
  assert.throws(
    () => resolveInside(LOOK, '/a/x', true),
    (error: unknown) => error instanceof TinyrunError && error.message.includes('ELOOP'),
  );
});

test.run();
