// Rows of shell, each a test: what people know of container storage, or complain about, as they would type it. They run in their
// order, under one data root, with two images: bb is busybox, web is the same with /usr/share/nginx/html/index.html.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import { tinyrun } from './bundle.ts';
import { runCommand } from './container.ts';
import { skip } from './skip.ts';

/**
 * One fact. Each of its commands must succeed, in a shell of its own, with these words:
 *
 *   t ARGS        tinyrun with the data root of all rows       eq A B    both are the same text
 *   no COMMAND    it fails                                     code N COMMAND    it exits with N
 *   has TEXT COMMAND    its output has the text; whether it fails does not count
 *   vp NAME       the volume's directory                       $D, $V, $H    data root, its volumes, a directory of the host
 */
export interface Row {
  name: string;
  fact: string;
  shell: string;
  /** A program that it needs. */
  needs?: string;
}

/** In the order of the columns of a table. */
export const row = (name: string, fact: string, shell: string, more: Pick<Row, 'needs'> = {}): Row => ({
  ...{ name, fact, shell },
  ...more,
});

const preamble = (top: string): string => `
set -e
ROOT=${top}/run D=${top}/data H=${top}/host
V=$D/volumes
cd ${top}/work
tinyrun() { '${tinyrun}' "$@"; }
t() { tinyrun --root $ROOT --data-root $D "$@"; }
eq() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'" >&2; return 1; }; }
no() { ! "$@"; }
code() { n=$1; shift; c=0; "$@" || c=$?; eq $c $n; }
has() { s=$1; shift; o=$("$@" 2>&1) || :; case $o in *"$s"*) ;; *) echo "'$s' is not in: $o" >&2; return 1 ;; esac; }
vp() { t volume inspect -f '{{.Mountpoint}}' "$1"; }
`;

/** A root filesystem of busybox, as a tar archive. */
function makeImage(top: string, busybox: string, name: string, change: (rootfs: string) => void): void {
  const rootfs = join(top, name);
  for (const dir of ['bin', 'etc', 'tmp', 'root', 'opt']) mkdirSync(join(rootfs, dir), { recursive: true });
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  for (const applet of runCommand([busybox, '--list']).stdout.trim().split('\n'))
    if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet));
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\n');
  change(rootfs);
  const { code, stderr } = runCommand(['tar', '-C', rootfs, '-cf', join(top, 'work', `${name}.tar`), '.']);
  if (code !== 0) throw new Error(stderr);
}

/** Makes tests of rows, and one that nothing is left of them. */
export function testRows(title: string, rows: readonly Row[]): void {
  const busybox = Bun.which('busybox');
  if (busybox === null) {
    test(title, () => skip(title, 'busybox is not installed'));
    return;
  }
  const top = mkdtempSync('/tmp/tinyrun-test-checklist-');
  // script(1) starts a shell of its own, which finds tinyrun along PATH.
  const env = { ...process.env, PATH: `${join(tinyrun, '..')}:${process.env['PATH']}` };
  const shell = (text: string) => runCommand(['bash', '-c', `${preamble(top)}${text}`], { env });

  test(`${title}: images are imported`, () => {
    for (const dir of ['work', 'host']) mkdirSync(join(top, dir));
    makeImage(top, busybox, 'bb', () => {});
    makeImage(top, busybox, 'web', (rootfs) => {
      mkdirSync(join(rootfs, 'usr/share/nginx/html'), { recursive: true });
      writeFileSync(join(rootfs, 'usr/share/nginx/html/index.html'), 'hi\n');
    });
    const { code, stderr } = shell('t image import bb.tar bb; t image import web.tar web');
    if (code !== 0) throw new Error(stderr);
  });

  for (const { name, fact, shell: text, needs } of rows)
    test(`${name}: ${fact}`, () => {
      if (needs !== undefined && Bun.which(needs) === null) return skip(name, `${needs} is not installed`);
      const { code, stdout, stderr } = shell(text);
      if (code !== 0) throw new Error(`exit code ${code}\n${stderr}${stdout}`);
    });

  test(`${title}: nothing is left of it`, () => {
    const { code, stdout, stderr } = shell(
      't rm -fv $(t ps -aq) >/dev/null; t volume prune -af >/dev/null; t ps -aq; t volume ls -q; ls $ROOT $D/containers',
    );
    rmSync(top, { recursive: true, force: true });
    if (code !== 0 || stdout.replace(/^.*:\n|\n/gm, '') !== '') throw new Error(stderr + stdout);
  });
}
