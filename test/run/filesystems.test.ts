// New filesystems of config.mounts, as /proc/self/mountinfo in the container tells of them. OCI config.md, "Mounts".

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Mount, NamespaceType } from '../../src/oci/config.ts';
import type { Bundle } from '../support/bundle.ts';
import { mountAt, outputOf, parseMountinfo, type Run, refusalOf } from '../support/container.ts';
import { skip } from '../support/skip.ts';

/** One more mount behind those of the default config. */
const mounted =
  (mount: Mount) =>
  ({ mounts }: Config): void =>
    void mounts!.push(mount);

const lineOf = async (mount: Mount) =>
  mountAt(await outputOf(['mountinfo'], { config: mounted(mount) }), mount.destination);

// tmpfs and ramfs

test('a tmpfs has the size and the mode that are asked for', async () => {
  const config = mounted({
    destination: '/data',
    type: 'tmpfs',
    source: 'scratch',
    options: ['size=64k', 'mode=700'],
  });
  const printed = await outputOf(['mountinfo', '--', 'stat', '/data'], { config });
  const line = mountAt(printed, '/data');
  assert.is(line.type, 'tmpfs');
  assert.is(line.source, 'scratch');
  assert.ok(line.superOptions.includes('size=64k') && line.superOptions.includes('mode=700'), printed);
  assert.match(printed, 'directory 0700 0 0');
});

test('a tmpfs that is full says so', async () => {
  const config = mounted({ destination: '/data', type: 'tmpfs', source: 'tmpfs', options: ['nr_inodes=2'] });
  const printed = await outputOf(['try', 'write', '/data/a', '', '--', 'try', 'write', '/data/b', ''], {
    config,
  });
  assert.is(printed, 'ok\nwrite: 28 No space left on device\n');
});

test('a tmpfs without a mode gets the mode of the directory that it covers', async () => {
  const config: Run['config'] = (config, { rootfs }) => {
    mkdirSync(join(rootfs, 'covered'));
    chmodSync(join(rootfs, 'covered'), 0o751);
    for (const destination of ['/covered', '/missing'])
      config.mounts!.push({ destination, type: 'tmpfs', source: 'tmpfs' });
  };
  const printed = await outputOf(['stat', '/covered', '/missing'], { config });
  assert.match(printed, /^directory 0751 .* \/covered\ndirectory 1777 .* \/missing\n$/);
});

test('the options of a mount and of its filesystem are told apart', async () => {
  const line = await lineOf({
    destination: '/data',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['ro', 'noexec', 'nosuid'],
  });
  assert.equal(line.options, ['ro', 'nosuid', 'noexec', 'relatime']);
  assert.is(line.superOptions[0], 'ro');
});

test('a ramfs is mounted', async () => {
  const line = await lineOf({ destination: '/data', type: 'ramfs', source: 'ram', options: ['nodev'] });
  assert.equal([line.type, line.source, line.options], ['ramfs', 'ram', ['rw', 'nodev', 'relatime']]);
});

// The kernel's own

test("proc shows the container's own processes", async () => {
  const printed = await outputOf(['mountinfo', '--', 'ls', '/proc']);
  assert.is(mountAt(printed, '/proc').type, 'proc');
  const pids = printed.match(/^\d+$/gm);
  assert.equal(pids, ['1']);
});

test('proc takes its options', async () => {
  const config = ({ mounts }: Config) => {
    mounts![0]!.options = ['hidepid=invisible', 'nosuid'];
  };
  const line = mountAt(await outputOf(['mountinfo'], { config }), '/proc');
  assert.ok(line.superOptions.includes('hidepid=invisible'), line.superOptions.join());
  assert.ok(line.options.includes('nosuid'));
});

test("sysfs is read-only, and shows the container's network only", async () => {
  const printed = await outputOf(['mountinfo', '--', 'ls', '/sys/class/net', '--', 'try', 'mkdir', '/sys/x']);
  assert.equal(mountAt(printed, '/sys').options, ['ro', 'nosuid', 'nodev', 'noexec', 'relatime']);
  assert.match(printed, /\nlo\nmkdir: (1|30) /);
});

test('mqueue is that of the ipc namespace: empty, and writable', async () => {
  // A queue is made by opening it; write(2) is none of its calls.
  const commands = [
    'ls',
    '/dev/mqueue',
    '--',
    'try',
    'write',
    '/dev/mqueue/q',
    'x',
    '--',
    'ls',
    '/dev/mqueue',
  ];
  assert.is(await outputOf(commands), 'write: 22 Invalid argument\nq\n');
});

test('devpts is an instance of its own, with its modes, and /dev/ptmx leads to it', async () => {
  const printed = await outputOf([
    'mountinfo',
    '--',
    'ls',
    '/dev/pts',
    '--',
    'stat',
    '/dev/pts/ptmx',
    '/dev/ptmx',
  ]);
  const { superOptions } = mountAt(printed, '/dev/pts');
  assert.equal(superOptions, ['rw', 'gid=5', 'mode=620', 'ptmxmode=666']);
  assert.match(printed, /\nptmx\nchar 0666 0 0 5:2 0 \/dev\/pts\/ptmx\nlink .* \/dev\/ptmx\n$/);
});

// cgroup

const hostCgroups = () =>
  parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter(({ type }) => type === 'cgroup');
const NEEDS_V1 = 'needs v1 cgroup hierarchies';

test('a cgroup mount is a read-only directory of all v1 hierarchies of the host', async () => {
  const hosts = hostCgroups();
  if (hosts.length === 0) return skip('a cgroup mount of v1 hierarchies', NEEDS_V1);
  const printed = await outputOf(['mountinfo', '--', 'try', 'mkdir', '/sys/fs/cgroup/x']);
  assert.is(mountAt(printed, '/sys/fs/cgroup').type, 'tmpfs');
  assert.equal(mountAt(printed, '/sys/fs/cgroup').options, ['ro', 'nosuid', 'nodev', 'noexec', 'relatime']);
  for (const host of hosts) {
    const line = mountAt(printed, host.target);
    assert.equal([line.type, line.superOptions], ['cgroup', host.superOptions], host.target);
    assert.is(line.options[0], 'ro');
  }
  assert.match(printed, 'mkdir: 30 Read-only file system');
});

test('without a cgroup namespace the hierarchies show the cgroup of the container, with one its root', async () => {
  if (hostCgroups().length === 0) return skip('views of v1 hierarchies', NEEDS_V1);
  const roots = async (...namespaces: NamespaceType[]) => {
    let path = '';
    const config = ({ linux }: Config, { id }: Bundle) => {
      linux!.namespaces!.push(...namespaces.map((type) => ({ type })));
      path = linux!.cgroupsPath = `/${id}`;
    };
    const printed = await outputOf(['mountinfo'], { config });
    const shown = parseMountinfo(printed).filter(({ type }) => type === 'cgroup');
    return new Set(shown.map(({ root }) => root.replace(path, '/own')));
  };
  assert.equal([...(await roots())], ['/own']);
  assert.equal([...(await roots('cgroup'))], ['/']);
});

test('a cgroup mount that is not read-only can be written to', async () => {
  if (hostCgroups().length === 0) return skip('a writable cgroup mount', NEEDS_V1);
  const config = ({ mounts }: Config) => void mounts!.at(-1)!.options!.pop();
  const line = mountAt(await outputOf(['mountinfo'], { config }), hostCgroups()[0]!.target);
  assert.is(line.options[0], 'rw');
});

// Others

test('an overlay is mounted as any other filesystem', async () => {
  const config: Run['config'] = (config, { dir }) => {
    for (const name of ['lower', 'upper', 'work']) mkdirSync(join(dir, name));
    writeFileSync(join(dir, 'lower/file'), 'from below');
    const options = ['lower', 'upper', 'work'].map((name) => `${name}dir=${dir}/${name}`);
    config.mounts!.push({ destination: '/data', type: 'overlay', source: 'overlay', options });
  };
  assert.is(await outputOf(['cat', '/data/file'], { config }), 'from below');
});

test('a filesystem type that the kernel does not know is refused', async () => {
  const config = mounted({ destination: '/data', type: 'magicfs', source: 'none' });
  assert.match(await refusalOf({ config }), /mount magicfs on \/data: ENODEV/);
});

test('an option that the filesystem refuses is named', async () => {
  const refused = (option: string, type = 'tmpfs') =>
    refusalOf({ config: mounted({ destination: '/data', type, source: 'none', options: [option] }) });
  assert.match(await refused('size=many'), /set tmpfs option size=many: EINVAL/);
  assert.match(await refused('nonsense'), /set tmpfs option nonsense: EINVAL/);
  assert.match(await refused('hidepid=9', 'proc'), /set proc option hidepid=9: EINVAL/);
});

test('a remount makes a filesystem read-only that mounts were made in before', async () => {
  const config = ({ mounts }: Config) => {
    mounts!.push({ destination: '/data', type: 'tmpfs', source: 'tmpfs', options: ['noexec'] });
    mounts!.push({ destination: '/data/a', type: 'tmpfs', source: 'tmpfs' });
    mounts!.push({ destination: '/data', options: ['remount', 'ro'] });
  };
  const printed = await outputOf(['mountinfo', '--', 'write', '/data/a/x', ''], { config });
  assert.equal(mountAt(printed, '/data').options, ['ro', 'noexec', 'relatime']);
  assert.equal(mountAt(printed, '/data/a').options, ['rw', 'relatime']);
});

test('a mount on / is refused, and so is one inside of proc', async () => {
  const tmpfs = (destination: string) => mounted({ destination, type: 'tmpfs', source: 'tmpfs' });
  assert.match(await refusalOf({ config: tmpfs('/') }), 'cannot mount on /');
  assert.match(await refusalOf({ config: tmpfs('/proc/sys') }), 'it is inside of proc');
});

test.run();
