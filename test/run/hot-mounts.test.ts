// volume attach and volume detach: mounts that come and go while a container runs.

import {
  chownSync,
  existsSync,
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
import { type Bundle, startTinyrun } from '../support/bundle.ts';
import { mountAt, until } from '../support/container.ts';
import {
  attach,
  dataOf,
  detach,
  inside,
  refusal,
  tinyrun,
  usesOf,
  withRunning,
  withUser,
} from '../support/hot-mounts.ts';
import { withStore } from '../support/store.ts';

test('a volume is attached, seen on both sides, in use, and detached', () =>
  withRunning(['-v', 'first:/first'], (bundle) => {
    attach(bundle, 'data:/srv/data');
    inside(bundle, 'write', '/srv/data/x', 'of the container');
    assert.is(readFileSync(dataOf(bundle, 'data', 'x'), 'utf8'), 'of the container');
    assert.match(refusal(bundle, 'rm', 'data'), `volume is in use - [${bundle.id}]`);
    const [, use] = usesOf(bundle);
    assert.equal(
      [use.point.Type, use.point.Name, use.point.Destination, use.point.RW],
      ['volume', 'data', '/srv/data', true],
    );
    detach(bundle, bundle.id, '/srv/data');
    assert.is(inside(bundle, 'ls', '/srv/data'), '');
    tinyrun(bundle, 'volume', 'rm', 'data');
    detach(bundle, bundle.id, '/first');
    assert.equal(usesOf(bundle), []);
  }));

test('binds, files, read-only ones, subpaths, and --mount spelling', () =>
  withRunning([], (bundle) => {
    const data = join(bundle.dir, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'of the host');
    attach(bundle, `${data}:/d:ro,noexec`);
    attach(bundle, `type=bind,source=${data}/file,target=/f`);
    attach(bundle, `${data}/made:/made`);
    tinyrun(bundle, 'volume', 'create', 'v');
    mkdirSync(dataOf(bundle, 'v', 'sub'));
    attach(bundle, 'src=v,dst=/sub,volume-subpath=sub');
    assert.is(inside(bundle, 'cat', '/d/file', '/f'), 'of the hostof the host');
    assert.is(inside(bundle, 'try', 'write', '/d/x', ''), 'write: 30 Read-only file system\n');
    inside(bundle, 'write', '/sub/x', '', '--', 'write', '/made/x', '');
    assert.equal([readdirSync(dataOf(bundle, 'v', 'sub')), readdirSync(join(data, 'made'))], [['x'], ['x']]);
    const { options } = mountAt(inside(bundle, 'mountinfo'), '/d');
    for (const option of ['ro', 'noexec']) assert.ok(options.includes(option), option);
    for (const target of ['/f', '/d', '/made', '/sub']) detach(bundle, bundle.id, target);
    assert.not(inside(bundle, 'mountinfo').includes(' /f '));
  }));

for (const [name, flags, change] of [
  ['with a user namespace', [], (bundle: Bundle) => withUser(bundle, 100000)],
  ['that was made by chroot', ['--no-pivot'], () => {}],
] as const)
  test(`a container ${name}`, () =>
    withRunning(
      [...flags],
      (bundle) => {
        attach(bundle, 'data:/new/data:U');
        inside(bundle, 'write', '/new/data/x', 'x');
        assert.is(readFileSync(dataOf(bundle, 'data', 'x'), 'utf8'), 'x');
        detach(bundle, bundle.id, '/new/data');
        assert.is(inside(bundle, 'ls', '/new/data'), '');
      },
      change,
    ));

for (const [name, flags, change, data] of [
  ['', [], () => {}, 'size=64k'],
  [' of a container with a user namespace', [], (bundle: Bundle) => withUser(bundle, 100000), 'uid=100000'],
  [' of one that was made by chroot', ['--no-pivot'], () => {}, 'size=64k'],
] as const)
  test(`a tmpfs${name}: as --mount has it, gone with detach`, () =>
    withRunning(
      [...flags],
      (bundle) => {
        attach(bundle, 'type=tmpfs,target=/covered,tmpfs-size=64k');
        const { options, type } = mountAt(inside(bundle, 'mountinfo'), '/covered');
        assert.is(type, 'tmpfs');
        for (const option of ['nosuid', 'nodev', 'noexec']) assert.ok(options.includes(option), option);
        assert.match(inside(bundle, 'mountinfo'), new RegExp(` /covered .*tmpfs .*${data}`));
        inside(bundle, 'write', '/covered/x', 'x');
        assert.is(inside(bundle, 'ls', '/covered'), 'x\n');
        assert.match(inside(bundle, 'stat', '/covered'), /^directory 0710 /);
        assert.equal(usesOf(bundle)[0].point.Type, 'tmpfs');
        detach(bundle, bundle.id, '/covered');
        assert.is(inside(bundle, 'ls', '/covered'), 'file\n');
        assert.equal(usesOf(bundle), []);
      },
      (bundle) => {
        change(bundle);
        const covered = join(bundle.rootfs, 'covered');
        mkdirSync(covered, { mode: 0o710 });
        writeFileSync(join(covered, 'file'), '');
        chownSync(covered, statSync(bundle.rootfs).uid, 0);
      },
    ));

test('a tmpfs where nothing is, with a mode, read-only, and in a read-only mount', () =>
  withRunning(['-v', 'ro:/ro:ro'], (bundle) => {
    attach(bundle, 'type=tmpfs,target=/made/here');
    assert.match(inside(bundle, 'stat', '/made/here'), /^directory 1777 /);
    attach(bundle, 'type=tmpfs,target=/mode,tmpfs-mode=700,readonly');
    assert.match(inside(bundle, 'stat', '/mode'), /^directory 0700 /);
    assert.is(inside(bundle, 'try', 'write', '/mode/x', ''), 'write: 30 Read-only file system\n');
    attach(bundle, 'type=tmpfs,target=/ro/a/b');
    inside(bundle, 'write', '/ro/a/b/x', '');
    assert.equal(readdirSync(dataOf(bundle, 'ro')), []);
    for (const target of ['/made/here', '/mode', '/ro/a/b']) detach(bundle, bundle.id, target);
  }));

test('inside of a read-only mount the mount point is made without writing to it', () =>
  withRunning(['-v', 'ro:/ro:ro'], (bundle) => {
    attach(bundle, 'inner:/ro/a/b');
    inside(bundle, 'write', '/ro/a/b/x', '');
    assert.ok(existsSync(dataOf(bundle, 'inner', 'x')));
    assert.equal(readdirSync(dataOf(bundle, 'ro')), []);
  }));

test('a destination that is a symlink leads nowhere but into the container', () =>
  withRunning(
    [],
    (bundle) => {
      attach(bundle, 'data:/link/in');
      inside(bundle, 'write', '/link/in/x', '');
      assert.ok(existsSync(dataOf(bundle, 'data', 'x')));
      assert.ok(existsSync(join(bundle.rootfs, 'tmp/in')));
      attach(bundle, 'more:/link');
      inside(bundle, 'write', '/tmp/y', '');
      assert.ok(existsSync(dataOf(bundle, 'more', 'y')));
      assert.match(refusal(bundle, 'attach', bundle.id, 'data:/proc/1'), 'it is inside of proc');
      for (const link of ['link', 'link/in']) detach(bundle, bundle.id, `/${link}`);
      assert.throws(() => mountAt(inside(bundle, 'mountinfo'), '/tmp/in'));
    },
    ({ rootfs }) => symlinkSync('/../../../tmp', join(rootfs, 'link')),
  ));

test('one that is in use stays, unless it is told to go when it no longer is', () =>
  withRunning([], async (bundle) => {
    attach(bundle, 'data:/d');
    const words = ['/payload', 'write', '/tmp/ready', '', '--', 'sleep', '100'];
    const busy = startTinyrun(bundle, ['exec', '--cwd', '/d', bundle.id, ...words]);
    await until('it is in use', () => existsSync(join(bundle.rootfs, 'tmp/ready')));
    assert.match(refusal(bundle, 'detach', bundle.id, '/d'), 'EBUSY it is in use');
    assert.is(usesOf(bundle).length, 1);
    detach(bundle, '-f', bundle.id, '/d');
    assert.equal(usesOf(bundle), []);
    busy.kill('SIGKILL');
    await busy.exited;
  }));

test('what fails changes nothing', () =>
  withRunning(['-v', 'first:/first'], (bundle) => {
    const before = usesOf(bundle);
    writeFileSync(join(bundle.rootfs, 'file'), '');
    assert.match(refusal(bundle, 'attach', bundle.id, 'x:/file'), 'is a file');
    assert.match(
      refusal(bundle, 'attach', bundle.id, 'type=bind,src=/no/such,dst=/d'),
      'bind source path does not exist: /no/such',
    );
    assert.match(refusal(bundle, 'attach', bundle.id, 'y:/first'), 'Duplicate mount point: /first');
    assert.match(refusal(bundle, 'attach', bundle.id, 'z:/z:nocreate'), 'get z: no such volume');
    assert.match(
      refusal(bundle, 'attach', bundle.id, 'type=tmpfs,dst=/t,tmpfs-size=never'),
      'invalid value for tmpfs-size: never',
    );
    assert.match(
      refusal(bundle, 'detach', bundle.id, '/proc'),
      `container ${bundle.id} has no volume at /proc; it has some at /first`,
    );
    assert.match(refusal(bundle, 'attach', 'nobody', 'x:/x'), 'container does not exist: nobody');
    assert.equal(usesOf(bundle), before);
    assert.match(refusal(bundle, 'rm', 'first'), 'in use');
  }));

test('each op is shown by --trace', () =>
  withRunning([], (bundle) => {
    const trace = join(bundle.dir, 'trace');
    tinyrun(bundle, 'volume', 'attach', '--trace', trace, bundle.id, 'data:/d');
    const text = readFileSync(trace, 'utf8');
    for (const call of ['open_tree(', 'setns(', 'openat2(', 'move_mount(', 'statx('])
      assert.ok(text.includes(call), call);
    tinyrun(bundle, 'volume', 'detach', '--trace', trace, bundle.id, '/d');
    assert.match(readFileSync(trace, 'utf8'), 'umount2(');
  }));

test('volume detach: of a container with a name, a path where nothing is attached is said to be that', async () => {
  await withStore(({ t, out }) => {
    out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
    const { code, stderr } = t('volume', 'detach', 'box', '/nothing');
    assert.is(code, 1);
    assert.match(stderr, /has no volume at \/nothing/);
  });
});

test.run();
