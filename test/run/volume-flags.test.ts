// --volume, --mount and --tmpfs of `tinyrun run`, in effect: what the container sees of them, and the host.
// Docker's grammar and words; how they are parsed is test/volume.

import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import {
  inMountNamespace,
  mountAt,
  output,
  parseMountinfo,
  payload,
  runCommand,
  runPayload,
} from '../support/container.ts';
import { assertRefused } from '../support/refusal.ts';

/** A folder `data` beside the bundle's config, with a `file` in it. */
async function withData(use: (bundle: Bundle, data: string) => void | Promise<void>): Promise<void> {
  await withBundle((bundle) => {
    const data = join(bundle.dir, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'of the host');
    return use(bundle, data);
  });
}
const run = (bundle: Bundle, flags: string[], ...commands: string[]) =>
  output(runPayload(bundle, commands, { flags }));

// Binds

test('-v binds a host directory, and what the container writes is on the host', () =>
  withData((bundle, data) => {
    const printed = run(
      bundle,
      ['-v', `${data}:/data`],
      'cat',
      '/data/file',
      '--',
      'write',
      '/data/new',
      'x',
    );
    assert.is(printed, 'of the host');
    assert.is(readFileSync(join(data, 'new'), 'utf8'), 'x');
  }));

test('--mount does the same in long form, in both spellings', () =>
  withData((bundle, data) => {
    for (const mount of [`type=bind,source=${data},target=/data`, `type=bind,src=${data},dst=/data`])
      assert.is(run(bundle, ['--mount', mount], 'cat', '/data/file'), 'of the host');
  }));

test('ro and readonly make it read-only, with all mounts below', () =>
  withData((bundle, data) => {
    mkdirSync(join(data, 'sub'));
    const via = inMountNamespace(`mount -t tmpfs sub ${data}/sub`);
    for (const flags of [
      ['-v', `${data}:/data:ro`],
      ['--mount', `type=bind,src=${data},dst=/data,readonly`],
    ]) {
      const commands = ['try', 'write', '/data/x', '', '--', 'try', 'write', '/data/sub/x', ''];
      const printed = output(runPayload(bundle, commands, { flags, via }));
      assert.is(printed, 'write: 30 Read-only file system\n'.repeat(2), flags.join(' '));
    }
  }));

test('bind-recursive says what becomes of the mounts below', () =>
  withData((bundle, data) => {
    mkdirSync(join(data, 'sub'));
    const via = inMountNamespace(`mount -t tmpfs sub ${data}/sub; echo deep >${data}/sub/file`);
    const mounts = (options: string, ...commands: string[]) =>
      output(
        runPayload(bundle, commands, {
          flags: ['--mount', `type=bind,src=${data},dst=/data,${options}`],
          via,
        }),
      );
    assert.is(mounts('bind-recursive=disabled', 'ls', '/data/sub'), '');
    assert.is(mounts('bind-recursive=enabled', 'cat', '/data/sub/file'), 'deep\n');
    assert.is(mounts('readonly,bind-recursive=writable', 'try', 'write', '/data/sub/x', ''), 'ok\n');
    const readonly = 'readonly,bind-propagation=rprivate,bind-recursive=readonly';
    assert.is(mounts(readonly, 'try', 'write', '/data/sub/x', ''), 'write: 30 Read-only file system\n');
  }));

test('-v makes a missing source, a directory of root, with its parents', () =>
  withData((bundle, data) => {
    assert.is(run(bundle, ['-v', `${data}/made/deep:/data`], 'ls', '/data'), '');
    const { mode, uid } = statSync(join(data, 'made/deep'));
    assert.equal([mode & 0o7777, uid], [0o755, 0]);
  }));

test("--mount refuses a missing source in Docker's words, and makes nothing", () =>
  withData((bundle, data) => {
    const says = new RegExp(
      `invalid mount config for type "bind": bind source path does not exist: ${data}/missing; make it first, or add bind-create-src; it is in --mount type=bind,src=${data}/missing,dst=/data$`,
      'm',
    );
    assertRefused(bundle, says, { flags: ['--mount', `type=bind,src=${data}/missing,dst=/data`] });
    assert.not(existsSync(join(data, 'missing')));
  }));

test('a relative source of -v with a dot starts at the working directory', () =>
  withData((bundle, data) => {
    const flags = ['-v', './data:/data'];
    assert.is(
      output(runPayload(bundle, ['cat', '/data/file'], { flags, options: { cwd: join(data, '..') } })),
      'of the host',
    );
  }));

test('a file is bound on a file that is there, and on one that is missing', () =>
  withData((bundle, data) => {
    writeFileSync(join(bundle.rootfs, 'etc/conf'), 'of the image');
    const flags = ['-v', `${data}/file:/etc/conf`, '-v', `${data}/file:/srv/deep/conf:ro`];
    const printed = run(
      bundle,
      flags,
      'cat',
      '/etc/conf',
      '/srv/deep/conf',
      '--',
      'try',
      'write',
      '/srv/deep/conf',
      '',
    );
    assert.is(printed, 'of the hostof the hostwrite: 30 Read-only file system\n');
  }));

test('propagation is rprivate unless the flag says otherwise', () =>
  withData((bundle, data) => {
    const propagation = (option: string) => {
      const via = inMountNamespace(`mount --bind ${data} ${data}`);
      const printed = output(
        runPayload(bundle, ['mountinfo'], { flags: ['-v', `${data}:/data${option}`], via }),
      );
      return mountAt(printed, '/data').propagation.map((text) => text.replace(/:.*/, ''));
    };
    assert.equal(propagation(''), []);
    assert.equal(propagation(':rslave'), ['master']);
    assert.equal(propagation(':slave,ro'), ['master']);
    assert.equal(propagation(':rshared'), ['shared']);
    assert.equal(propagation(':shared'), ['shared']);
    assert.equal(propagation(':private'), []);
  }));

test('flags are mounted after the config, parents before children, in whatever order they are given', () =>
  withData((bundle, data) => {
    mkdirSync(join(data, 'a/b'), { recursive: true });
    bundle.config.mounts!.push({ destination: '/data', type: 'tmpfs', source: 'hidden' });
    const flags = [
      '--tmpfs',
      '/data/a/b/c',
      '-v',
      `${data}/file:/data/a/f`,
      '--tmpfs',
      '/data/a',
      '-v',
      `${data}:/data`,
    ];
    const printed = run(bundle, flags, 'mountinfo', '--', 'cat', '/data/file', '/data/a/f');
    assert.match(printed, /of the hostof the host$/);
    // A mount that is covered by another is in the table as well; all of these are the topmost.
    const tree = ['/data', '/data/a', '/data/a/f', '/data/a/b/c'].map((target) => mountAt(printed, target));
    assert.equal(
      tree.map(({ type }) => type === 'tmpfs'),
      [false, true, false, true],
    );
  }));

test('a destination that is a symlink leads inside the rootfs', () =>
  withData((bundle, data) => {
    symlinkSync('/../../../srv', join(bundle.rootfs, 'link'));
    assert.is(run(bundle, ['-v', `${data}:/link/data`], 'cat', '/srv/data/file'), 'of the host');
  }));

test('a volume may not cover files of proc', () =>
  withData((bundle, data) => {
    assertRefused(bundle, /it is inside of proc/, { flags: ['-v', `${data}:/proc/self`] });
    symlinkSync('/proc', join(bundle.rootfs, 'link'));
    assertRefused(bundle, /link\/sys.*it is inside of proc/, { flags: ['-v', `${data}:/link/sys`] });
  }));

test('a source whose directories only root may enter is bound for any user, also in a user namespace', () =>
  withData((bundle, data) => {
    const { config } = bundle;
    config.process.user = { uid: 1000, gid: 1000 };
    assert.is(run(bundle, ['-v', `${data}:/data`], 'cat', '/data/file'), 'of the host');
    config.linux!.namespaces!.push({ type: 'user' });
    config.linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    config.linux!.gidMappings = config.linux!.uidMappings;
    assert.is(run(bundle, ['-v', `${data}:/dev/data`], 'cat', '/dev/data/file'), 'of the host');
  }));

// tmpfs

test('--tmpfs is noexec, nosuid and nodev, unless it is told otherwise', () =>
  withData((bundle) => {
    const flags = [
      '--tmpfs',
      '/one',
      '--tmpfs',
      '/two:exec,size=64k,mode=700',
      '--mount',
      'type=tmpfs,dst=/three',
    ];
    flags.push('--mount', 'type=tmpfs,dst=/four,tmpfs-size=128k,tmpfs-mode=0711');
    const printed = run(bundle, flags, 'mountinfo', '--', 'stat', '/one', '/two', '/four');
    const optionsOf = (target: string) => mountAt(printed, target).options;
    assert.equal(optionsOf('/one'), ['rw', 'nosuid', 'nodev', 'noexec', 'relatime']);
    assert.equal(optionsOf('/two'), ['rw', 'nosuid', 'nodev', 'relatime']);
    assert.equal(optionsOf('/three'), optionsOf('/one'));
    assert.ok(mountAt(printed, '/two').superOptions.includes('size=64k'));
    assert.ok(mountAt(printed, '/four').superOptions.includes('size=128k'));
    assert.match(printed, /\ndirectory 1777 .* \/one\ndirectory 0700 .* \/two\ndirectory 0711 .* \/four\n$/);
  }));

test('what is written to a tmpfs is nowhere when the container has ended', () =>
  withData((bundle) => {
    mkdirSync(join(bundle.rootfs, 'scratch'));
    run(bundle, ['--tmpfs', '/scratch'], 'write', '/scratch/x', 'x');
    assert.is(run(bundle, [], 'ls', '/scratch'), '');
  }));

// With an overlay

test('volumes are no part of the overlay: the upper layer has nothing of what they hold', () =>
  withData((bundle, data) => {
    mkdirSync(join(bundle.rootfs, 'data'));
    const flags = ['--overlay', '--name', bundle.id, '-v', `${data}:/data`];
    run(bundle, flags, 'write', '/data/new', 'x', '--', 'write', '/own', 'x');
    const upper = join(bundle.dataRoot, 'containers', bundle.id, 'upper');
    assert.ok(existsSync(join(upper, 'own')) && !existsSync(join(upper, 'data')));
    assert.is(runTinyrun(bundle, ['delete', bundle.id]).code, 0);
    assert.is(readFileSync(join(data, 'new'), 'utf8'), 'x', 'deleting a container leaves its volumes');
  }));

// The host

test('the host sees no mount of twenty containers, at no moment of their lives, though all is shared', () =>
  withData(async (bundle, data) => {
    const flags = ['--overlay', '-v', `${data}:/data`, '-v', `${data}/file:/etc/conf`, '--tmpfs', '/scratch'];
    writeConfig(bundle);
    const script = [
      `${payload} watch ${bundle.dir}/done >${bundle.dir}/seen & watcher=$!`,
      `while [ ! -s ${bundle.dir}/seen ]; do sleep 0.01; done`,
      'for round in 1 2 3 4 5; do jobs=; for i in 1 2 3 4; do "$@" & jobs="$jobs $!"; done; wait $jobs; done',
      `touch ${bundle.dir}/done; wait $watcher; exit 0`,
    ];
    const via = inMountNamespace(script.join('\n'));
    const printed = output(runPayload(bundle, ['cat', '/data/file'], { via, flags }));
    assert.is(printed.match(/of the host/g)?.length, 20);
    assert.is(readFileSync(join(bundle.dir, 'seen'), 'utf8'), 'ready\n');
  }));

test('the watcher of the test above does see a mount', () =>
  withData((bundle) => {
    const script = [
      `${payload} watch ${bundle.dir}/done >${bundle.dir}/seen & watcher=$!`,
      `while [ ! -s ${bundle.dir}/seen ]; do sleep 0.01; done`,
      `mount -t tmpfs brief ${bundle.dir}/data; umount ${bundle.dir}/data`,
      `touch ${bundle.dir}/done; wait $watcher; exit 0`,
    ];
    assert.is(runCommand(inMountNamespace(script.join('\n'))).code, 0);
    assert.match(readFileSync(join(bundle.dir, 'seen'), 'utf8'), /^ready\n\d+ /);
  }));

test('a mount of a running container is seen in its own mount namespace only', () =>
  withData(async (bundle, data) => {
    const pidFile = join(bundle.dir, 'pid');
    writeConfig(bundle);
    const flags = ['--pid-file', pidFile, '-v', `${data}:/data`];
    const commands = ['write', '/data/ready', '', '--', 'await', '/data/go'];
    const container = startTinyrun(bundle, ['run', ...flags, bundle.dir, '--', '/payload', ...commands]);
    while (!existsSync(join(data, 'ready')) && container.exitCode === null) await Bun.sleep(5);
    const of = (pid: string) => parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
    assert.is(of(readFileSync(pidFile, 'utf8').trim()).filter(({ target }) => target === '/data').length, 1);
    // The host program waits beside it, in the host's own mount namespace.
    for (const pid of ['self', String(container.pid)])
      assert.not(
        of(pid).some(({ target, root }) => (target + root).includes(data)),
        pid,
      );
    writeFileSync(join(data, 'go'), '');
    assert.is(await container.exited, 0);
  }));

test.run();
