// criu for tests of containers: the host's own, where it works here; and a made-up one, in its place for one command.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Bundle, type Result, tinyrun } from './bundle.ts';
import { inMountNamespace, runCommand } from './container.ts';

/** Why criu cannot save and restore processes on this machine; undefined: it can. */
export function criuProblem(): string | undefined {
  if (Bun.which('criu') === null) return 'criu is not installed';
  const { code, stdout, stderr } = runCommand(['criu', 'check']);
  return code === 0 ? undefined : `criu check: ${`${stderr}${stdout}`.trim().split('\n')[0]}`;
}

/** Runs a command of tinyrun on a host whose criu is this shell script; undefined: on one that has none. */
export function withCriu(bundle: Bundle, script: string | undefined, ...words: string[]): Result {
  const fake = join(dirname(bundle.dir), 'criu-bin');
  mkdirSync(fake, { recursive: true });
  if (script !== undefined) {
    writeFileSync(join(fake, 'criu'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(fake, 'criu'), 0o755);
  }
  const hide =
    script === undefined
      ? 'mount -t tmpfs tmpfs /usr/local/sbin; [ ! -e /usr/sbin/criu ] || mount --bind /dev/null /usr/sbin/criu'
      : `mount --bind ${fake} /usr/local/sbin`;
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  return runCommand([...inMountNamespace(hide), tinyrun, ...roots, ...words]);
}
