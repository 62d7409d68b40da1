// `cp` between real containers and the host.

import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { runCommand } from '../support/container.ts';
import { inEachState, refusal } from '../support/cp.ts';
import { type Store, withStore } from '../support/store.ts';

test('cp: files go into a container, also into its volumes, and come out', async () => {
  await inEachState((store) => {
    const { top, out } = store;
    writeFileSync(join(top, 'f'), 'text\n', { mode: 0o640 });
    out('cp', join(top, 'f'), 'box:/root');
    out('cp', join(top, 'f'), 'box:/v/');
    const volume = out('volume', 'inspect', '-f', '{{.Mountpoint}}', 'vol');
    assert.is(readFileSync(join(volume, 'f'), 'utf8'), 'text\n');
    for (const path of ['/root/f', '/v/f']) {
      out('cp', `box:${path}`, join(top, 'back'));
      assert.is(readFileSync(join(top, 'back'), 'utf8'), 'text\n');
      assert.is(lstatSync(join(top, 'back')).mode & 0o777, 0o640);
    }
    assert.equal(
      readFileSync('/proc/self/mountinfo', 'utf8').includes(top),
      false,
      'the host has no mount of it',
    );
  });
});

test('cp: the whole root of a container, running or not: its volumes and own files, and nothing of /proc, /sys and /dev', async () => {
  await inEachState((store) => {
    const { top, out, t } = store;
    writeFileSync(join(top, 'f'), 'text');
    out('cp', join(top, 'f'), 'box:/v');
    out('cp', 'box:/', join(top, 'all'));
    assert.is(readFileSync(join(top, 'all/v/f'), 'utf8'), 'text');
    const isNew = out('inspect', '-f', '{{.State.Status}}', 'box') === 'created';
    assert.is(readFileSync(join(top, 'all/etc/hosts'), 'utf8').includes('localhost'), !isNew);
    for (const path of ['proc', 'sys', 'dev/pts', 'dev/shm'])
      assert.equal(readdirSync(join(top, 'all', path)), [], path);
    assert.equal(readdirSync(join(top, 'all/dev')).sort(), ['console', 'pts', 'shm']);
    // What it leads to is the kernel's, which Docker's words name.
    const { stderr, code } = t('cp', '-L', 'box:/etc/mtab', join(top, 'mtab'));
    assert.is(code, 1);
    assert.match(stderr, 'Could not find the file /proc/mounts in container box');
    assert.match(stderr, 'tinyrun exec box cat /proc/mounts');
    assert.not.match(out('diff', 'box'), /proc|sys|dev/);
  });
});

test('cp: of a container that runs: what --tmpfs and --volume mount, also below one another and when attached later; not what it has mounted itself', async () => {
  await withStore(({ top, out }) => {
    const script = 'for d in /t /v /v/in /dev/shm /own; do echo $d >$d/f; done; sleep 600';
    const flags = ['--tmpfs', '/t', '-v', 'a:/v', '-v', 'b:/v/in', '-v', '/etc:/host:ro', '-v', 'c:/dev/c'];
    const mounting = `mkdir /own; mount -t tmpfs none /own; ${script}`;
    out('run', '-d', '--name', 'box', '--privileged', ...flags, 'bb', 'sh', '-c', mounting);
    out('volume', 'attach', 'box', 'd:/later');
    out('exec', 'box', 'sh', '-c', 'echo /later >/later/f; until [ -s /own/f ]; do sleep 0.1; done');
    out('cp', 'box:/', join(top, 'all'));
    for (const path of ['/t', '/v', '/v/in', '/later'])
      assert.is(readFileSync(join(top, 'all', path, 'f'), 'utf8'), `${path}\n`);
    for (const path of ['/dev/shm/f', '/dev/c', '/own/f'])
      assert.not.ok(existsSync(join(top, 'all', path)), path);
    assert.ok(existsSync(join(top, 'all/host/passwd')));
    assert.is(
      out('exec', 'box', 'grep', '-c', ' /v', '/proc/self/mountinfo'),
      '2',
      'the container has no more mounts',
    );
  });
});

test("cp: Docker's eight rules, into a container", async () => {
  await withStore((store) => {
    const { top, out } = store;
    out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
    mkdirSync(join(top, 'd/sub'), { recursive: true });
    writeFileSync(join(top, 'd/x'), 'x');
    writeFileSync(join(top, 'f'), 'f');
    const tree = (path: string): string => out('exec', 'box', 'find', path).split('\n').sort().join(' ');
    out('exec', 'box', 'mkdir', '/to');
    out('exec', 'box', 'touch', '/file');

    out('cp', join(top, 'f'), 'box:/to/new');
    out('cp', join(top, 'f'), 'box:/to');
    out('cp', join(top, 'f'), 'box:/file');
    assert.is(tree('/to'), '/to /to/f /to/new');
    assert.is(out('exec', 'box', 'cat', '/file'), 'f');
    out('cp', join(top, 'd'), 'box:/made');
    assert.is(tree('/made'), '/made /made/sub /made/x');
    out('cp', join(top, 'd'), 'box:/made');
    assert.is(tree('/made'), '/made /made/d /made/d/sub /made/d/x /made/sub /made/x');
    out('cp', `${join(top, 'd')}/.`, 'box:/to');
    assert.is(tree('/to'), '/to /to/f /to/new /to/sub /to/x');

    assert.match(refusal(store, join(top, 'f'), 'box:/none/'), 'cp to box:/none/: no such directory');
    assert.match(refusal(store, join(top, 'f'), 'box:/none/f'), 'cp to box:/none/f: no such directory');
    assert.match(refusal(store, join(top, 'd'), 'box:/file'), 'cannot copy directory');
    assert.match(refusal(store, join(top, 'f'), 'box:/file/'), 'it is a file, not a directory');
    assert.match(refusal(store, `${join(top, 'f')}/`, 'box:/to'), 'it is a file, not a directory');
    assert.match(refusal(store, join(top, 'none'), 'box:/to'), 'Could not find the file');
    assert.match(refusal(store, 'box:/none', top), 'Could not find the file /none in container box');
    assert.match(refusal(store, 'none:/x', top), 'No such container: none');
    assert.match(refusal(store, 'box:/to', 'box:/x'), 'copying between containers is not supported');
    assert.match(refusal(store, 'a', 'b'), 'must specify at least one container source');
  });
});

test('cp: a directory is not put in the place of a file inside of a tree', async () => {
  await withStore((store) => {
    const { top, out } = store;
    out('run', '-d', '--name', 'box', 'bb', 'sh', '-c', 'mkdir -p /to/d; touch /to/d/x; sleep 600');
    out('exec', 'box', 'sh', '-c', 'until [ -e /to/d/x ]; do sleep 0.1; done');
    mkdirSync(join(top, 'd/x'), { recursive: true });
    assert.match(refusal(store, join(top, 'd'), 'box:/to'), 'cannot overwrite non-directory with directory');
    assert.is(out('exec', 'box', 'stat', '-c', '%F', '/to/d/x'), 'regular empty file');
  });
});

test('cp: owners are those of the receiver, and of the source with --archive', async () => {
  await withStore(({ top, out }) => {
    out('run', '--name', 'box', 'bb', 'sh', '-c', 'touch /f; chown 7:8 /f');
    writeFileSync(join(top, 'f'), '');
    chownSync(join(top, 'f'), 5, 6);
    const owner = (name: string): string => {
      const { uid, gid } = lstatSync(join(top, name));
      return `${uid}:${gid}`;
    };
    out('cp', 'box:/f', join(top, 'a'));
    out('cp', '-a', 'box:/f', join(top, 'b'));
    assert.equal([owner('a'), owner('b')], ['0:0', '7:8']);
    out('cp', join(top, 'f'), 'box:/a');
    out('cp', '-a', join(top, 'f'), 'box:/b');
    out('cp', '-a', 'box:/a', join(top, 'c'));
    out('cp', '-a', 'box:/b', join(top, 'd'));
    assert.equal([owner('c'), owner('d')], ['0:0', '5:6']);
  });
});

test('cp: a symlink is copied as such, and followed with -L; a destination is followed inside the container', async () => {
  await inEachState(({ top, out }) => {
    symlinkSync('/etc/passwd', join(top, 'link'));
    out('cp', join(top, 'link'), 'box:/root/link');
    out('cp', 'box:/root/link', join(top, 'same'));
    assert.is(readlinkSync(join(top, 'same')), '/etc/passwd');
    out('cp', '-L', 'box:/root/link', join(top, 'followed'));
    assert.match(readFileSync(join(top, 'followed'), 'utf8'), /^root:x:0:0:root:.*\nann:/);
    // Of the container: /etc/hosts of the host stays as it is.
    symlinkSync('/etc', join(top, 'directory'));
    out('cp', join(top, 'directory'), 'box:/root/directory');
    writeFileSync(join(top, 'new'), 'new');
    out('cp', join(top, 'new'), 'box:/root/directory/tinyrun-test-cp');
    assert.not.ok(existsSync('/etc/tinyrun-test-cp'));
    out('cp', 'box:/etc/tinyrun-test-cp', join(top, 'found'));
    assert.is(readFileSync(join(top, 'found'), 'utf8'), 'new');
  });
});

test('cp -: a stream of tar, both ways', async () => {
  await withStore((store) => {
    const { top, out } = store;
    out('run', '-d', '--name', 'box', 'bb', 'sh', '-c', 'mkdir -p /d/e; echo hi >/d/e/f; sleep 600');
    const tar = Bun.spawnSync(['sh', '-c', `'${store.command.join("' '")}' cp box:/d - | tar -tf -`]);
    assert.is(tar.stdout.toString(), 'd/\nd/e/\nd/e/f\n');
    const pipe = `'${store.command.join("' '")}'`;
    const copied = runCommand(['sh', '-c', `${pipe} cp box:/d/. - | gzip | ${pipe} cp - box:/tmp`]);
    assert.is(copied.code, 0, copied.stderr);
    out('cp', 'box:/tmp/e/f', join(top, 'f'));
    assert.is(readFileSync(join(top, 'f'), 'utf8'), 'hi\n');
    const refused = runCommand(['sh', '-c', `echo no tar | ${pipe} cp - box:/tmp`]);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /archive/);
    assert.match(
      runCommand(['sh', '-c', `${pipe} cp - box:/etc/passwd </dev/null`]).stderr,
      'destination "box:/etc/passwd" must be a directory',
    );
  });
});

/** While a container without a record runs, which is called plain. */
async function whileBundleRuns(
  change: (config: Config) => void,
  flags: string,
  use: (store: Store, bundle: string) => void,
): Promise<void> {
  await withStore((store) => {
    const { top, t, command } = store;
    const bundle = join(top, 'bundle');
    mkdirSync(bundle);
    assert.is(t('spec', '--bundle', bundle).code, 0);
    const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
    config.process.terminal = false;
    config.root.readonly = false;
    config.process.args = ['/bin/busybox', 'sleep', '600'];
    change(config);
    mkdirSync(join(bundle, 'rootfs/bin'), { recursive: true });
    runCommand(['cp', '/usr/bin/busybox', join(bundle, 'rootfs/bin/busybox')]);
    // In a user namespace, its root makes mount points.
    for (const directory of [top, bundle, join(bundle, 'rootfs')]) chmodSync(directory, 0o777);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    const detached = `'${command.join("' '")}' run -d --name plain ${flags} ${bundle} >${top}/id 2>&1`;
    assert.is(runCommand(['sh', '-c', detached]).code, 0, readFileSync(join(top, 'id'), 'utf8'));
    try {
      use(store, bundle);
    } finally {
      t('delete', '--force', 'plain');
    }
  });
}

test('cp: a container without a record, while it runs', async () => {
  await whileBundleRuns(
    () => {},
    '--overlay',
    ({ top, out }, bundle) => {
      writeFileSync(join(top, 'f'), 'f');
      out('cp', join(top, 'f'), 'plain:/f');
      out('cp', 'plain:/f', join(top, 'g'));
      assert.is(readFileSync(join(top, 'g'), 'utf8'), 'f');
      assert.not.ok(existsSync(join(bundle, 'rootfs/f')));
    },
  );
});

test('cp: a container without a record, where there is no data root', async () => {
  await whileBundleRuns(
    () => {},
    '--hostname=plain',
    ({ top, out }) => {
      writeFileSync(join(top, 'f'), 'f');
      out('--data-root', join(top, 'none'), 'cp', join(top, 'f'), 'plain:/f');
      assert.is(out('exec', 'plain', '/bin/busybox', 'cat', '/f'), 'f');
    },
  );
});

test('cp: the whole root of a container without a record, in a user namespace, with what its config and flags mount', async () => {
  await whileBundleRuns(
    (config) => {
      const ids = [{ containerID: 0, hostID: 100000, size: 65536 }];
      config.linux!.namespaces!.push({ type: 'user' });
      Object.assign(config.linux!, { uidMappings: ids, gidMappings: ids });
      config.mounts!.push({ destination: '/etc', type: 'bind', source: '/etc', options: ['rbind'] });
      config.mounts!.push({ destination: '/run', type: 'tmpfs', source: 'tmpfs' });
    },
    '-v vol:/v',
    ({ top, out }) => {
      out('exec', 'plain', '/bin/busybox', 'touch', '/run/r', '/v/v');
      out('cp', 'plain:/', join(top, 'all'));
      for (const path of ['etc/passwd', 'run/r', 'v/v', 'bin/busybox'])
        assert.ok(existsSync(join(top, 'all', path)), path);
      for (const path of ['proc', 'sys']) assert.equal(readdirSync(join(top, 'all', path)), [], path);
    },
  );
});

test('cp: from an unbindable root nothing can be copied from outside, which is said', async () => {
  await whileBundleRuns(
    (config) => {
      config.linux!.rootfsPropagation = 'unbindable';
    },
    '',
    (store) =>
      assert.match(
        refusal(store, 'plain:/', join(store.top, 'all')),
        'at / of the container: EINVAL it is unbindable',
      ),
  );
});

test.run();
