// volume attach and volume detach: mounts that come and go while a container runs.

import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { mountAt, output, until } from '../support/container.ts';
import { assertRefusal } from '../support/refusal.ts';
import { withStore } from '../support/store.ts';

const tinyrun = (bundle: Bundle, ...words: string[]) => output(runTinyrun(bundle, words));
const inside = (bundle: Bundle, ...words: string[]) =>
  tinyrun(bundle, 'exec', bundle.id, '/payload', ...words);
const attach = (bundle: Bundle, spec: string) => tinyrun(bundle, 'volume', 'attach', bundle.id, spec);
const detach = (bundle: Bundle, ...words: string[]) => tinyrun(bundle, 'volume', 'detach', ...words);
const refusal = (bundle: Bundle, ...words: string[]): string => {
  const result = runTinyrun(bundle, ['volume', ...words]);
  assertRefusal(result, /./, 1);
  return result.stderr;
};
const dataOf = (bundle: Bundle, name: string, ...path: string[]) =>
  join(bundle.dataRoot, 'volumes', name, '_data', ...path);
const usesOf = (bundle: Bundle) => {
  const path = join(bundle.dataRoot, 'containers', bundle.id, 'mounts.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).mounts : [];
};
const withUser = ({ config, rootfs }: Bundle, hostID: number): void => {
  config.linux?.namespaces?.push({ type: 'user' });
  const mappings = [{ containerID: 0, hostID, size: 65536 }];
  Object.assign(config.linux ?? {}, { uidMappings: mappings, gidMappings: mappings });
  chownSync(rootfs, hostID, hostID);
};

/** A container that runs, with these flags; it ends by itself if all else fails. */
async function withRunning(
  flags: string[],
  use: (bundle: Bundle) => void | Promise<void>,
  change: (bundle: Bundle) => void = () => {},
): Promise<void> {
  await withBundle(async (bundle) => {
    change(bundle);
    bundle.config.process.args = ['/payload', 'sleep', '100'];
    writeConfig(bundle);
    const container = startTinyrun(bundle, ['run', ...flags, '--bundle', bundle.dir, bundle.id]);
    await until('it runs', () => runTinyrun(bundle, ['exec', bundle.id, '/payload', 'args']).code === 0);
    try {
      await use(bundle);
    } finally {
      runTinyrun(bundle, ['kill', bundle.id, 'KILL']);
      await container.exited;
    }
  });
}

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
      assert.match(refusal(bundle, 'attach', bundle.id, 'data:/proc/1'), 'it is inside of proc');
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
      refusal(bundle, 'attach', bundle.id, 'type=tmpfs,dst=/t'),
      'a tmpfs is made when a container is created',
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
    for (const call of ['open_tree(', 'setns(', 'openat2(', 'move_mount('])
      assert.ok(text.includes(call), call);
    tinyrun(bundle, 'volume', 'detach', '--trace', trace, bundle.id, '/d');
    assert.match(readFileSync(trace, 'utf8'), 'umount2(');
  }));

test('what was attached is given back when the container has ended', () =>
  withBundle(async (bundle) => {
    await withRunningIn(bundle, ['--rm'], () => {
      attach(bundle, 'data:/d');
      attach(bundle, '/anonymous');
    });
    await until('it is not in use any more', () => runTinyrun(bundle, ['volume', 'rm', 'data']).code === 0);
    assert.is(tinyrun(bundle, 'volume', 'ls', '-q'), '');
    assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
  }));

/** As withRunning, in a bundle that outlives the container. */
async function withRunningIn(bundle: Bundle, flags: string[], use: () => void): Promise<void> {
  bundle.config.process.args = ['/payload', 'sleep', '100'];
  writeConfig(bundle);
  const container = startTinyrun(bundle, ['run', ...flags, '--name', bundle.id, bundle.dir]);
  await until('it runs', () => runTinyrun(bundle, ['exec', bundle.id, '/payload', 'args']).code === 0);
  use();
  runTinyrun(bundle, ['kill', bundle.id, 'KILL']);
  await container.exited;
}

test('volume detach: of a container with a name, a path where nothing is attached is said to be that', async () => {
  await withStore(({ t, out }) => {
    out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
    const { code, stderr } = t('volume', 'detach', 'box', '/nothing');
    assert.is(code, 1);
    assert.match(stderr, /has no volume at \/nothing/);
  });
});

test.run();
