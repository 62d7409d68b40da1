// A container in a user namespace: who is who inside and outside, whose files are whose, and what its root can reach.
// OCI config-linux.md, "User namespace mappings"; user_namespaces(7).

import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, IdMapping } from '../../src/oci/config.ts';
import { startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { mountAt, output, outputOf, type Run, refusalOf, runPayload, until } from '../support/container.ts';

const MAPPED: IdMapping[] = [{ containerID: 0, hostID: 100000, size: 65536 }];

/** A user namespace of these mappings, with every capability in it. */
const inUserNamespace =
  (uids: IdMapping[] = MAPPED, gids: IdMapping[] = MAPPED) =>
  ({ linux, process }: Config): void => {
    linux!.namespaces!.push({ type: 'user' });
    linux!.uidMappings = uids;
    linux!.gidMappings = gids;
    const names = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_ADMIN', 'CAP_MKNOD'];
    process.capabilities = { bounding: names, permitted: names, effective: names };
  };

test('inside, the process is the user of the config, and the mappings are those of the config', async () => {
  const printed = await outputOf(['ids', '--', 'cat', '/proc/self/uid_map', '/proc/self/gid_map'], {
    config: inUserNamespace(MAPPED, [
      { containerID: 0, hostID: 200000, size: 10 },
      { containerID: 10, hostID: 5, size: 1 },
    ]),
  });
  assert.is(
    printed.replace(/ +/g, ' '),
    'uid 0 0\ngid 0 0\ngroups\n 0 100000 65536\n 0 200000 10\n 10 5 1\n',
  );
});

test('outside, the process is the mapped user', async () => {
  await withBundle(async (bundle) => {
    inUserNamespace()(bundle.config);
    bundle.config.process.user = { uid: 1000, gid: 100, additionalGids: [7] };
    mkdirSync(join(bundle.dir, 'sync'));
    chmodSync(join(bundle.dir, 'sync'), 0o777);
    bundle.config.mounts!.push({ destination: '/dev/sync', source: 'sync', options: ['bind'] });
    writeConfig(bundle);
    const pidFile = join(bundle.dir, 'pid');
    const commands = ['write', '/dev/sync/file', '', '--', 'await', '/dev/sync/go'];
    const run = startTinyrun(bundle, [
      'run',
      '--pid-file',
      pidFile,
      bundle.dir,
      '--',
      '/payload',
      ...commands,
    ]);
    const file = join(bundle.dir, 'sync/file');
    await until('the container writes', () => statSync(file, { throwIfNoEntry: false }) !== undefined);
    const status = readFileSync(`/proc/${readFileSync(pidFile, 'utf8').trim()}/status`, 'utf8');
    assert.match(status, /^Uid:\t101000\t101000\t101000\t101000$/m);
    assert.match(status, /^Gid:\t100100\t100100\t100100\t100100$/m);
    assert.match(status, /^Groups:\t100007 $/m);
    const { uid, gid } = statSync(file);
    assert.equal([uid, gid], [101000, 100100]);
    writeFileSync(join(bundle.dir, 'sync/go'), '');
    assert.is(await run.exited, 0);
  });
});

test('files of ids that are not mapped belong to nobody, whom root of the namespace is not', async () => {
  const config: Run['config'] = (config, { rootfs }) => {
    inUserNamespace()(config);
    for (const [name, id] of [
      ['mapped', 100005],
      ['hosts', 5],
    ] as const) {
      writeFileSync(join(rootfs, name), 'x');
      chownSync(join(rootfs, name), id, id);
      chmodSync(join(rootfs, name), 0o600);
    }
  };
  const printed = await outputOf(
    ['stat', '/mapped', '/hosts', '--', 'cat', '/mapped', '--', 'try', 'cat', '/hosts'],
    { config },
  );
  assert.is(
    printed,
    'file 0600 5 5 0:0 1 /mapped\nfile 0600 65534 65534 0:0 1 /hosts\nxcat: 13 Permission denied\n',
  );
});

test('a bind source that the mapped root could not reach is bound all the same', async () => {
  const config: Run['config'] = (config, { dir }) => {
    inUserNamespace()(config);
    mkdirSync(join(dir, 'locked/data'), { recursive: true });
    writeFileSync(join(dir, 'locked/data/file'), 'reached');
    chmodSync(join(dir, 'locked'), 0o700);
    config.mounts!.push({ destination: '/dev/data', source: 'locked/data', options: ['rbind'] });
  };
  assert.is(await outputOf(['cat', '/dev/data/file'], { config }), 'reached');
});

test('a rootfs that the mapped root could not reach becomes its root', async () => {
  await withBundle((bundle) => {
    chmodSync(bundle.dir, 0o700);
    assert.is(output(runPayload(bundle, ['args', 'here'], { config: inUserNamespace() })), 'here\n');
  });
});

test('missing mount points are made where the mapped root owns the rootfs', async () => {
  await withBundle((bundle) => {
    const config = (config: Config) => {
      inUserNamespace()(config);
      config.mounts!.push({ destination: '/a/b', type: 'tmpfs', source: 'tmpfs' });
    };
    chownSync(bundle.rootfs, 100000, 100000);
    assert.is(mountAt(output(runPayload(bundle, ['mountinfo'], { config })), '/a/b').type, 'tmpfs');
    const { uid, gid } = statSync(join(bundle.rootfs, 'a'));
    assert.equal([uid, gid], [100000, 100000]);
  });
});

test('a mount point that the mapped root may not make is refused, with the reason', async () => {
  const config = (config: Config) => {
    inUserNamespace()(config);
    config.mounts!.push({ destination: '/missing', type: 'tmpfs', source: 'tmpfs' });
  };
  assert.match(await refusalOf({ config }), 'make directory /missing: EACCES');
});

test("devices are the host's own nodes, bound", async () => {
  const config = (config: Config) => {
    inUserNamespace()(config);
    config.linux!.devices = [{ type: 'c', path: '/dev/kmsg', major: 1, minor: 11 }];
  };
  const commands = ['stat', '/dev/null', '/dev/tty', '/dev/kmsg', '--', 'write', '/dev/null', 'x'];
  const printed = await outputOf([...commands, '--', 'readlink', '/dev/fd', '--', 'mountinfo'], { config });
  assert.match(
    printed,
    /^char 0666 65534 65534 1:3 0 \/dev\/null\nchar 0666 65534 65534 5:0 0 \/dev\/tty\nchar \d+ 65534 65534 1:11/,
  );
  assert.match(printed, '\n/proc/self/fd\n');
  assert.is(mountAt(printed, '/dev/kmsg').root, '/kmsg');
});

test("root of the namespace is not the host's: it makes no device, and what is read-only stays so", async () => {
  const config: Run['config'] = (config, { dir }) => {
    inUserNamespace()(config);
    writeFileSync(join(dir, 'file'), '');
    config.mounts!.push({ destination: '/dev/file', source: 'file', options: ['bind', 'ro'] });
  };
  const commands = ['try', 'mknod', '/dev/node', 'c', '1', '3', '--', 'try', 'write', '/dev/file', 'x'];
  assert.is(
    await outputOf(commands, { config }),
    'mknod: 1 Operation not permitted\nwrite: 30 Read-only file system\n',
  );
});

test('masked and read-only paths hold in a user namespace as well', async () => {
  const commands = ['cat', '/proc/keys', '--', 'try', 'write', '/proc/sys/kernel/panic', '1'];
  assert.is(await outputOf(commands, { config: inUserNamespace() }), 'write: 30 Read-only file system\n');
});

test('a file owned by the mapped root can be given to another mapped user', async () => {
  const config: Run['config'] = (config) => {
    inUserNamespace()(config);
    config.process.user = { uid: 65535, gid: 65535 };
  };
  assert.match(
    await outputOf(['ids', '--', 'write', '/dev/shm/x', '', '--', 'stat', '/dev/shm/x'], { config }),
    /^uid 65535 65535\ngid 65535 65535\ngroups\nfile 0644 65535 65535 /,
  );
});

test('capabilities that the caller has lost are none of the bounding set, unless the config gives them', async () => {
  const bounding = async (names: string[]) => {
    const config = (config: Config) => {
      inUserNamespace()(config);
      config.process.capabilities = { bounding: names };
    };
    const status = await outputOf(['status'], {
      config,
      via: ['setpriv', '--bounding-set', '-net_raw,-sys_time'],
    });
    return BigInt(`0x${/^CapBnd:\t(\w+)$/m.exec(status)?.[1]}`);
  };
  assert.is(await bounding([]), 0n);
  assert.is(await bounding(['CAP_KILL', 'CAP_NET_RAW']), (1n << 5n) | (1n << 13n));
});

test('a user that is not mapped is refused', async () => {
  const config = (config: Config) => {
    inUserNamespace([{ containerID: 0, hostID: 100000, size: 10 }])(config);
    config.process.user = { uid: 10, gid: 0 };
  };
  assert.match(await refusalOf({ config }), /become user 10: EINVAL/);
});

test('an overlay rootfs is used in a user namespace, and its files belong to who wrote them', async () => {
  const config: Run['config'] = (config, { rootfs }) => {
    inUserNamespace()(config);
    chownSync(rootfs, 100000, 100000);
  };
  const printed = await outputOf(
    ['write', '/new', 'x', '--', 'stat', '/new', '--', 'cat', '/new', '/etc/hostname'],
    {
      config,
      flags: ['--overlay'],
    },
  );
  assert.is(printed, 'file 0644 0 0 0:0 1 /new\nxtinyrun\n');
});

test.run();
