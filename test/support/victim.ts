// A part of the host that a hostile rootfs points at: whatever a container does, nothing in it may change.

import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Bundle } from './bundle.ts';

export interface Victim {
  dir: string;
  /** The same, as symlinks in the rootfs may say it. */
  absolute: string;
  relative: string;
  /** Fails if anything in it has changed: names, contents, modes, owners, times. */
  assertUntouched: (what: string) => void;
}

/** Makes a victim beside the bundle, with a file and a directory of every name that a runtime might make or open. */
export function makeVictim(bundle: Bundle): Victim {
  const dir = join(dirname(bundle.dir), 'victim');
  mkdirSync(join(dir, 'directory'), { recursive: true });
  for (const name of ['file', 'hosts', 'passwd', 'directory/file'])
    writeFileSync(join(dir, name), `the host's ${name}\n`, { mode: 0o640 });
  const before = listing(dir);
  return {
    dir,
    absolute: dir,
    relative: `${'../'.repeat(20)}${dir.slice(1)}`,
    assertUntouched: (what) => assert.equal(listing(dir), before, what),
  };
}

/** Everything that lstat(2) says of a tree, but the times of reading; and what is in its files. */
function listing(path: string): string[] {
  const { mode, uid, gid, nlink, size, mtimeMs, ctimeMs, ino } = lstatSync(path);
  const line = [path, mode.toString(8), uid, gid, nlink, size, mtimeMs, ctimeMs, ino].join(' ');
  if ((mode & 0o170000) === 0o100000) return [line, readFileSync(path, 'utf8')];
  if ((mode & 0o170000) !== 0o040000) return [line];
  return [
    line,
    ...readdirSync(path)
      .sort()
      .flatMap((name) => listing(join(path, name))),
  ];
}
