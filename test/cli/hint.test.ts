// What is said to who is not root, and is denied something. Needs root, to be another one.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hintOf } from '../../src/cli/hint.ts';
import { TinyrunError } from '../../src/errors.ts';
import { tinyrun } from '../support/bundle.ts';
import { runCommand } from '../support/container.ts';

const GLOBAL = { root: '/run/tinyrun', dataRoot: '/var/lib/tinyrun' };

test('who is not root is told to be, or to take a place of his own', () => {
  const top = mkdtempSync('/tmp/tinyrun-test-'); // root's alone
  try {
    const as = (...words: string[]): string => {
      const user = ['setpriv', '--reuid=1234', '--regid=1235', '--clear-groups'];
      const { stderr, code } = runCommand([...user, tinyrun, ...words]);
      assert.is(code, 1, stderr);
      return stderr;
    };
    const [root, dataRoot] = [join(top, 'root'), join(top, 'data')];
    const own =
      'EACCES permission denied; you are not root: use sudo, or --data-root with a directory of your own\n';
    for (const words of [
      ['ps', '-a'],
      ['images'],
      ['volume', 'create', 'v'],
      ['rm', 'c1'],
      ['system', 'prune', '-f'],
    ])
      assert.ok(as('--root', root, '--data-root', dataRoot, ...words).endsWith(own), words.join(' '));
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('root is told nothing of it, and a hint of its own comes first', () => {
  assert.is(hintOf(new Error('open /x: EACCES permission denied'), GLOBAL), '');
  assert.is(hintOf(new TinyrunError('HOST', 'x: EPERM', { hint: 'do y' }), GLOBAL), '; do y');
});

test('of a full disk in the data root it is told how to free some', () => {
  const hint = '; see `tinyrun df`, and remove what is not used: tinyrun system prune';
  assert.is(hintOf(new Error('write to /var/lib/tinyrun/x: ENOSPC no space left on device'), GLOBAL), hint);
  assert.is(hintOf(new Error('write to /mnt/x: ENOSPC no space left on device'), GLOBAL), '');
});

test.run();
