// What the pages of rootfs-examples/, and README.md, tell is what happens.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    withFolder((folder, env) => follow(path, `cd '${top}'`, env, join(folder, 'data')));
  });

/** The lines of a page below a heading, from 1. */
function linesBelow(page: string, heading: string): [first: number, last: number] {
  const lines = page.split('\n');
  const first = lines.indexOf(`## ${heading}`);
  const next = lines.findIndex((line, at) => at > first && line.startsWith('## '));
  assert.ok(first >= 0 && next > first, heading);
  return [first + 1, next];
}

/** What prints other things on each machine, waits, or takes a network. */
const NOT_FOLLOWED =
  /^(skopeo|pid=|cut|nsenter|tinyrun list|tinyrun run --name demo|tinyrun run --overlay -v)/;

/** A bundle of the busybox whose program sleeps, in which the tour goes on. */
const JOB = `mkdir -p /srv/job && cp -a rootfs-examples/busybox/. /srv/job && cd /srv/job &&
  sed -i -z 's/"args": \\[[^]]*\\]/"args": ["sleep", "600"]/; s/"terminal": true/"terminal": false/' config.json`;

for (const [headings, prepare] of [
  [['Write to a layer of the container, not to the rootfs'], ''],
  [['Volumes'], 'mkdir /srv/data; echo hello >/srv/data/a'],
  [
    ['Images', 'Look into a container, and its volumes'],
    'mkdir /srv/conf; echo x >/srv/conf/app.conf; cp -a rootfs-examples/busybox/rootfs /srv/rootfs; cd /srv; tar -C rootfs -cf bb.tar .',
  ],
  [['The life of a container'], JOB],
] as const)
  test(`README.md, ${headings.join(', ')}: each command prints what the page shows`, () => {
    if (Bun.which('busybox') === null || Bun.which('jq') === null)
      return skip('README.md', 'busybox or jq is not installed');
    const path = join(top, 'README.md');
    const page = readFileSync(path, 'utf8');
    const parts = headings.map((heading) => linesBelow(page, heading));
    withFolder((folder, env) => {
      mkdirSync(join(folder, 'srv'));
      // In a mount namespace of its own: the page has /srv.
      const preamble = `mount --bind ${folder}/srv /srv; cd '${top}'
        for name in minimal busybox; do sh rootfs-examples/$name/make-rootfs.sh >/dev/null; done; ${prepare}`;
      follow(path, preamble, env, join(folder, 'data'), {
        which: ({ line, command }) =>
          !NOT_FOLLOWED.test(command) && parts.some(([first, last]) => line > first && line <= last),
        shell: ['unshare', '-m', 'bash', '-c'],
      });
    });
  });

/** Calls `use` with a folder and an environment in whose PATH `tinyrun` has its roots there. */
function withFolder(use: (folder: string, env: Record<string, string | undefined>) => void): void {
  const folder = mkdtempSync('/tmp/tinyrun-test-walkthrough-');
  try {
    mkdirSync(join(folder, 'bin'));
    const words = `exec '${tinyrun}' --root ${folder}/run --data-root ${folder}/data "$@"\n`;
    writeFileSync(join(folder, 'bin/tinyrun'), `#!/bin/sh\n${words}`, { mode: 0o755 });
    use(folder, { ...process.env, PATH: `${folder}/bin:${process.env['PATH']}` });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.run();
