// What `cp` leaves alone: read-only roots and volumes, devices, itself; and what a hostile container does not get.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/container.ts';
import { inEachState, refusal } from '../support/cp.ts';
import { skip } from '../support/skip.ts';
import { type Store, withStore } from '../support/store.ts';

test('cp: nothing is written to what is read-only', async () => {
  await withStore((store) => {
    const { top, out } = store;
    out('volume', 'create', 'vol');
    writeFileSync(join(top, 'f'), '');
    out('run', '-d', '--name', 'ro', '--read-only', '-v', 'vol:/v:ro', 'bb', 'sleep', '600');
    out('create', '--name', 'later', '-v', 'vol:/v:ro', 'bb');
    out('create', '--name', 'later-ro', '--read-only', '-v', 'vol:/v', 'bb');
    const root = 'container rootfs is marked read-only';
    const volume = 'mounted volume is marked read-only';
    const refused = { 'ro:/root/f': root, 'ro:/v/f': volume, 'later:/v/f': volume, 'later-ro:/root/f': root };
    for (const [destination, why] of Object.entries(refused))
      assert.is(refusal(store, join(top, 'f'), destination), `tinyrun: cp to ${destination}: ${why}`);
    out('cp', join(top, 'f'), 'later-ro:/v/f');
  });
});

test('cp: no symlink leads to where the container would not see the copy', async () => {
  await inEachState((store) => {
    const { top, out } = store;
    writeFileSync(join(top, 'f'), 'f');
    mkdirSync(join(top, 'links'));
    for (const name of ['proc', 'sys', 'dev']) symlinkSync(`/${name}`, join(top, 'links', name));
    out('cp', join(top, 'links'), 'box:/');
    for (const path of ['proc', 'proc/', 'proc/f', 'sys/f', 'dev/f', 'dev/f/'])
      assert.match(
        refusal(store, join(top, 'f'), `box:/links/${path}`),
        /would not see it|no such directory/,
      );
    out('cp', join(top, 'f'), 'box:/root/proc');
  });
});

test('cp: a device or a fifo is never replaced by a file, on either side, by whatever name', async () => {
  await withStore((store) => {
    const { top, out } = store;
    runCommand(['sh', '-c', `cd ${top} && mknod dev c 1 3 && mkfifo pipe && ln -s dev link && echo x >f`]);
    out(
      'run',
      '-d',
      '--name',
      'box',
      'bb',
      'sh',
      '-c',
      'mkfifo /pipe; mknod /null c 1 3; ln -s /pipe /link; sleep 600',
    );
    for (const name of ['dev', 'pipe', 'link'])
      assert.match(
        refusal(store, 'box:/etc/passwd', join(top, name)),
        'must be a directory or a regular file',
      );
    for (const name of ['/null', '/pipe', '/link'])
      assert.match(refusal(store, join(top, 'f'), `box:${name}`), 'must be a directory or a regular file');
    assert.ok(lstatSync(join(top, 'dev')).isCharacterDevice() && lstatSync(join(top, 'pipe')).isFIFO());
    assert.is(out('exec', 'box', 'stat', '-c', '%F', '/pipe', '/null'), 'fifo\ncharacter special file');
  });
});

test('cp: a directory is not copied into itself, nor what tinyrun keeps of the container into the container', async () => {
  await withStore((store) => {
    const { top, out } = store;
    mkdirSync(join(top, 'h'));
    out('run', '-d', '--name', 'box', '-v', `${join(top, 'h')}:/h`, 'bb', 'sleep', '600');
    assert.match(refusal(store, join(top, 'h'), 'box:/h/sub'), 'into itself');
    assert.match(refusal(store, 'box:/h', join(top, 'h/sub')), 'into itself');
    assert.match(refusal(store, top, 'box:/tmp'), 'into itself');
    assert.equal(readdirSync(join(top, 'h')), []);
  });
});

// The container is hostile

test('cp out of a hostile container: no symlink leads to the host (CVE-2019-10152)', async () => {
  await inEachState(({ top, out, t }) => {
    writeFileSync(join(top, 'secret'), 'secret');
    symlinkSync(top, join(top, 'way'));
    out('cp', join(top, 'way'), 'box:/root/way');
    const { code } = t('cp', 'box:/root/way/secret', join(top, 'stolen'));
    assert.is(code, 1);
    assert.not.ok(existsSync(join(top, 'stolen')));
  });
});

/** The programs that a call starts, itself apart. */
function programsOf({ top, command }: Store, ...words: string[]): (string | undefined)[] {
  const log = join(top, 'calls');
  const { code, stderr } = runCommand(['strace', '-fo', log, '-e', 'execve,execveat', ...command, ...words]);
  assert.is(code, 0, stderr);
  const calls = readFileSync(log, 'utf8').matchAll(/ exec\w+\([^"]*"([^"]*)".* = 0$/gm);
  return [...calls].map(([, path]) => path).filter((path) => path !== command[0]);
}

test('cp and top run no program of a container (CVE-2019-14271, CVE-2026-41567, CVE-2022-1227)', async () => {
  if (Bun.which('strace') === null) return skip('what cp runs', 'strace is not installed');
  await withStore(async (store) => {
    const { top, out, t } = store;
    const evil =
      'mkdir -p /usr/lib; for i in /bin/ps /bin/xz /usr/lib/libnss_files.so.2; do cp /bin/busybox $i; done';
    out('run', '-d', '--name', 'box', 'bb', 'sh', '-c', `${evil}; touch /ready; sleep 600`);
    while (t('exec', 'box', 'test', '-e', '/ready').code !== 0) await Bun.sleep(20);
    assert.equal(programsOf(store, 'cp', 'box:/bin/.', join(top, 'out')), []);
    assert.equal(programsOf(store, 'cp', join(top, 'out'), 'box:/root'), []);
    assert.equal(programsOf(store, 'top', 'box'), [Bun.which('ps') ?? undefined]);
  });
});

test('cp while the container swaps directories for symlinks: nothing of the host is read or written (CVE-2018-15664, CVE-2026-41568)', async () => {
  await withStore(async ({ top, out, t }) => {
    const target = join(top, 'host');
    mkdirSync(target);
    writeFileSync(join(target, 'f'), 'secret');
    // In the container the path of the host's directory is its own, with another file.
    out(
      ...['run', '-d', '--name', 'box', 'bb', 'sh', '-c'],
      `mkdir -p ${target} /d; echo own >${target}/f; echo own >/d/f; ln -s ${target} /l; while :; do mv /d /e; mv /l /d; mv /d /l; mv /e /d; done`,
    );
    writeFileSync(join(top, 'new'), 'new');
    mkdirSync(join(top, 'tree'));
    chmodSync(join(top, 'tree'), 0o2777);
    for (let i = 0; i < 40; i++) {
      if (t('cp', 'box:/d/f', join(top, `out-${i}`)).code === 0)
        assert.is(readFileSync(join(top, `out-${i}`), 'utf8'), 'own\n');
      t('cp', join(top, 'new'), 'box:/d/new');
      t('cp', join(top, 'new'), 'box:/d');
      t('cp', '-a', join(top, 'tree', '.'), 'box:/d');
    }
    assert.equal(readdirSync(target), ['f']);
    assert.is(statSync(target).mode & 0o7777, 0o755, 'nor is a mode changed (CVE-2021-41089)');
    assert.is(readFileSync(join(target, 'f'), 'utf8'), 'secret');
  });
});

test.run();
