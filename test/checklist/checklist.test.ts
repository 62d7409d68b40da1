// The rows of rows.ts, each a test named after it.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import { tinyrun } from '../support/bundle.ts';
import { runCommand } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { backup, binds, joined, layers, type Row, shared, tmpfs, volumes } from './rows.ts';

const rows: readonly Row[] = [...volumes, ...binds, ...tmpfs, ...joined, ...backup, ...layers, ...shared];
const busybox = Bun.which('busybox');
const top = mkdtempSync('/tmp/tinyrun-test-checklist-');

/** What every row starts with. Each is a shell of its own, in the same working directory. */
const PREAMBLE = `
ROOT=${top}/run D=${top}/data H=${top}/host
V=$D/volumes
cd ${top}/work
tinyrun() { '${tinyrun}' "$@"; }
t() { tinyrun --root $ROOT --data-root $D "$@"; }
eq() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'" >&2; return 1; }; }
no() { ! "$@"; }
has() { s=$1; shift; "$@" 2>&1 | grep -qF -- "$s"; }
vp() { t volume inspect -f '{{.Mountpoint}}' "$1"; }
`;

const shell = (text: string) => runCommand(['bash', '-c', `${PREAMBLE}${text}`], { env: environment });
/** script(1) starts a shell of its own, which finds tinyrun along PATH. */
const environment = { ...process.env, PATH: `${join(tinyrun, '..')}:${process.env['PATH']}` };

/** A root filesystem of busybox, as a tar archive. */
function makeImage(name: string, change: (rootfs: string) => void): void {
  const rootfs = join(top, name);
  for (const dir of ['bin', 'etc', 'tmp', 'root', 'opt']) mkdirSync(join(rootfs, dir), { recursive: true });
  copyFileSync(busybox!, join(rootfs, 'bin/busybox'));
  for (const applet of runCommand([busybox!, '--list']).stdout.trim().split('\n'))
    if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet));
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\n');
  change(rootfs);
  const { code, stderr } = runCommand(['tar', '-C', rootfs, '-cf', join(top, 'work', `${name}.tar`), '.']);
  if (code !== 0) throw new Error(stderr);
}

if (busybox === null) {
  test('checklist', () => skip('checklist', 'busybox is not installed'));
} else {
  test('checklist: images are imported', () => {
    for (const dir of ['work', 'host']) mkdirSync(join(top, dir));
    makeImage('bb', () => {});
    makeImage('web', (rootfs) => {
      mkdirSync(join(rootfs, 'usr/share/nginx/html'), { recursive: true });
      writeFileSync(join(rootfs, 'usr/share/nginx/html/index.html'), 'hi\n');
    });
    const { code, stderr } = shell('t image import bb.tar bb && t image import web.tar web');
    if (code !== 0) throw new Error(stderr);
  });

  for (const { name, fact, shell: text } of rows)
    test(`${name}: ${fact}`, () => {
      const { code, stdout, stderr } = shell(text);
      if (code !== 0) throw new Error(`exit code ${code}\n${stderr}${stdout}`);
    });

  test('checklist: nothing is left of it', () => {
    const { code, stdout, stderr } = shell(
      't rm -fv $(t ps -aq) >/dev/null && t volume prune -af >/dev/null && t ps -aq && t volume ls -q && ls $ROOT $D/containers',
    );
    rmSync(top, { recursive: true, force: true });
    if (code !== 0 || stdout.replace(/^.*:\n|\n/gm, '') !== '') throw new Error(stderr + stdout);
  });
}

test.run();
