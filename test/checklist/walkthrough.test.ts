// What the pages of rootfs-examples/ tell is what happens.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { skip } from '../support/skip.ts';
import { follow, readSteps } from '../support/walkthrough.ts';

const top = join(import.meta.dir, '../..');
const pages = ['data-only', 'log-sharing', 'database', 'backup', 'data-packed', 'invisible'];

test('readSteps: a command, its continuation, its output', () => {
  const page = 'Text\n\n    # a \\\n        b\n    out\n\n    more\n    # c\n\nText\n\n    config: x\n';
  assert.equal(readSteps(page), [
    { line: 3, command: 'a \\\n    b', output: 'out\nmore\n' },
    { line: 8, command: 'c', output: '' },
  ]);
});

for (const page of pages)
  test(`rootfs-examples/${page}: each command prints what its page shows`, () => {
    if (Bun.which('busybox') === null) return skip(page, 'busybox is not installed');
    const path = join(top, 'rootfs-examples', page, 'README.md');
    assert.ok(existsSync(path));
    const folder = mkdtempSync('/tmp/tinyrun-test-walkthrough-');
    try {
      mkdirSync(join(folder, 'bin'));
      const words = `exec '${tinyrun}' --root ${folder}/run --data-root ${folder}/data "$@"\n`;
      writeFileSync(join(folder, 'bin/tinyrun'), `#!/bin/sh\n${words}`, { mode: 0o755 });
      const env = { ...process.env, PATH: `${folder}/bin:${process.env['PATH']}` };
      follow(path, `cd '${top}'`, env, join(folder, 'data'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

test.run();
