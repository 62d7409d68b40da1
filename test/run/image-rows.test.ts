// The layout of images and layers as one looks at it from a shell, with a container of busybox: rows L1, L7 to L13, L17 and S1.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { type Store, withStore } from '../support/image-store.ts';
import { tarOf } from '../support/oci-layout.ts';
import { skip } from '../support/skip.ts';

/** The tar of a root file system with busybox in it, and of one more file where one is asked for. */
function writeRootfs(folder: string, name: string, busybox: string, files: Record<string, string>): void {
  const root = join(folder, name);
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  writeFileSync(join(folder, `${name}.tar`), tarOf(root).tar);
}

const ROWS: Record<string, string> = {
  L1: "t run -d --name ov bb /bin/busybox sleep 60; has 'type overlay' t mounts ov",
  L7: 'ls $D/overlay2/*/link; eq "$(stat -c %a $D/overlay2)" 710',
  L8: 'for l in $D/overlay2/l/*; do basename $l | grep -Eq "^[A-Z2-7]{26}$" || exit 1; readlink $l | grep -q ^../ || exit 1; done',
  L9: 'eq "$(wc -c <$(ls -d $D/overlay2/*/link | head -1))" 26',
  L10: "eq $(t inspect -f '{{.GraphDriver.Data.LowerDir}}' ov | tr : '\\n' | wc -l) $(( $(t inspect -f '{{len .RootFS.Layers}}' bb) + 1 ))",
  L11: 'grep -q \'"rootfs":{"type":"layers","diff_ids":\\["sha256:\' $D/image/overlay2/imagedb/content/sha256/*',
  L12: 'eq "$(t debug chainid sha256:6cebf3abed5fac58d2e792ce8461454e92c245d5312c42118f02e231a73b317f sha256:f7eae43028b334123c3a1d778f7bdf9783bbe651c8b15371df0120fd13ec35c5)" sha256:8f06e3a624319de717230f0d766dd8922d048441adb9e0387860a8047d000409',
  L13: 'test -d $D/overlay2/$(cat $D/image/overlay2/layerdb/sha256/*/cache-id | head -1)/diff',
  L17: 'eq "$(t info -f \'{{.Driver}}\')" overlay2',
  S1: "has overlay2 t info && has 'local' t info -f '{{.Plugins.Volume}}'",
};

const PREAMBLE =
  't(){ "$TINYRUN" --root "$ROOT" --data-root "$DATA" "$@"; }; eq(){ [ "$1" = "$2" ]; }; has(){ s=$1; shift; "$@" 2>&1 | grep -qF -- "$s"; }; D=$(t info -f "{{.Root}}");';

function shell(store: Store, script: string): { code: number; output: string } {
  const env = {
    ...process.env,
    TINYRUN: tinyrun,
    ROOT: join(store.dataRoot, '../root'),
    DATA: store.dataRoot,
  };
  const done = Bun.spawnSync(['sh', '-c', PREAMBLE + script], { cwd: store.folder, env });
  return { code: done.exitCode, output: `${done.stdout}${done.stderr}` };
}

test('rows L1, L7 to L13, L17, S1', () =>
  withStore((store) => {
    const busybox = Bun.which('busybox');
    if (busybox === null) return skip('rows of images', 'no busybox here');
    writeRootfs(store.folder, 'bb', busybox, {});
    writeRootfs(store.folder, 'web', busybox, { 'usr/share/nginx/html/index.html': 'hi\n' });
    try {
      for (const name of ['bb', 'web']) store.out('image', 'import', `${name}.tar`, name);
      for (const [row, script] of Object.entries(ROWS)) {
        const { code, output } = shell(store, script);
        assert.is(code, 0, `row ${row}: ${output}`);
      }
    } finally {
      store.run(['rm', '-f', 'ov']);
    }
  }));

test.run();
