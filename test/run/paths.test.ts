// The root, and paths of it that are masked or read-only. OCI config.md, "Root"; config-linux.md, "Masked Paths",
// "Readonly Paths".

import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { withBundle } from '../support/bundle.ts';
import {
  inMountNamespace,
  mountAt,
  output,
  outputOf,
  parseMountinfo,
  type Run,
  runPayload,
} from '../support/container.ts';

// root

test('root.path is absolute, or relative to the bundle, wherever tinyrun was called', async () => {
  await withBundle((bundle) => {
    renameSync(bundle.rootfs, join(bundle.dir, 'another root'));
    for (const path of ['another root', './x/../another root/', join(bundle.dir, 'another root')]) {
      mkdirSync(join(bundle.dir, 'x'), { recursive: true });
      const run: Run = {
        config: ({ root }) => {
          root.path = path;
        },
        options: { cwd: '/' },
      };
      assert.is(output(runPayload(bundle, ['args', 'here'], run)), 'here\n', path);
    }
  });
});

test('a root.path that is a symlink is followed on the host', async () => {
  const config: Run['config'] = ({ root }, { dir }) => {
    symlinkSync('rootfs', join(dir, 'link'));
    root.path = 'link';
  };
  assert.is(await outputOf(['args', 'here'], { config }), 'here\n');
});

test('a read-only root is read-only, but not what is mounted in it', async () => {
  const commands = [
    'try',
    'write',
    '/x',
    'x',
    '--',
    'try',
    'mkdir',
    '/etc/x',
    '--',
    'write',
    '/dev/shm/x',
    'x',
  ];
  const printed = await outputOf([...commands, '--', 'mountinfo'], {
    config: ({ root }) => {
      root.readonly = true;
    },
  });
  assert.match(printed, /^write: 30 .*\nmkdir: 30 .*\n/);
  assert.equal(mountAt(printed, '/').options, ['ro', 'relatime']);
});

test('mount points are made in a root before it becomes read-only', async () => {
  const config = (config: Config) => {
    config.root.readonly = true;
    config.mounts!.push({ destination: '/made/here', type: 'tmpfs', source: 'tmpfs' });
  };
  assert.is(await outputOf(['write', '/made/here/x', 'x', '--', 'ls', '/made/here'], { config }), 'x\n');
});

test('what the container writes into a writable root is in the rootfs', async () => {
  await withBundle((bundle) => {
    output(runPayload(bundle, ['write', '/written', 'here']));
    assert.is(readFileSync(join(bundle.rootfs, 'written'), 'utf8'), 'here');
  });
});

test('mounts below the rootfs on the host are in the container as well', async () => {
  await withBundle((bundle) => {
    const via = inMountNamespace(
      `mount -t tmpfs below ${bundle.rootfs}/tmp; echo x >${bundle.rootfs}/tmp/file`,
    );
    assert.is(output(runPayload(bundle, ['cat', '/tmp/file'], { via })), 'x\n');
  });
});

test('nothing of the host is mounted in the container', async () => {
  const printed = await outputOf(['mountinfo', '--', 'ls', '/']);
  const targets = parseMountinfo(printed).map(({ target }) => target);
  assert.is(targets.filter((target) => target === '/').length, 1);
  assert.equal(
    targets.filter((target) => !/^\/($|proc|sys|dev)/.test(target)),
    [],
  );
  assert.match(printed, /\ndev\netc\npayload\nproc\nsys\ntmp\n$/);
});

// Masked and read-only paths

const linux = (fields: Partial<NonNullable<Config['linux']>>) => (config: Config) =>
  void Object.assign(config.linux!, fields);

/** /etc/secret and /etc/secrets/key in the rootfs. */
const withSecrets =
  (fields: Parameters<typeof linux>[0]): Run['config'] & {} =>
  (config, { rootfs }) => {
    mkdirSync(join(rootfs, 'etc/secrets'));
    writeFileSync(join(rootfs, 'etc/secret'), 'secret');
    writeFileSync(join(rootfs, 'etc/secrets/key'), 'secret');
    linux(fields)(config);
  };

test('masked files are empty, masked directories are empty, and neither can be written to', async () => {
  const config = withSecrets({
    maskedPaths: ['/etc/secret', '/etc/secrets', '/proc/keys', '/proc/acpi', '/sys/firmware'],
  });
  const commands = [
    'cat',
    '/etc/secret',
    '/proc/keys',
    '--',
    'ls',
    '/etc/secrets',
    '--',
    'ls',
    '/sys/firmware',
  ];
  const printed = await outputOf(
    [...commands, '--', 'try', 'write', '/etc/secrets/x', 'x', '--', 'stat', '/etc/secret'],
    { config },
  );
  assert.is(printed, 'write: 30 Read-only file system\nchar 0666 0 0 1:3 0 /etc/secret\n');
});

test('what is missing is not masked, and no error', async () => {
  const config = linux({
    maskedPaths: ['/missing', '/etc/missing/deep', '/payload/below', '/proc/missing', '/sys/missing/x'],
  });
  assert.is(await outputOf(['ls', '/etc'], { config }), '');
});

test('a mask holds for the mounts of the config, and for what is below them', async () => {
  const config: Run['config'] = (config, bundle) => {
    mkdirSync(join(bundle.dir, 'source/keys'), { recursive: true });
    writeFileSync(join(bundle.dir, 'source/keys/one'), 'secret');
    config.mounts!.push({ destination: '/data', source: 'source', options: ['rbind'] });
    linux({ maskedPaths: ['/data/keys', '/dev/shm'] })(config);
  };
  const commands = ['ls', '/data/keys', '--', 'try', 'write', '/dev/shm/x', ''];
  assert.is(await outputOf(commands, { config }), 'write: 30 Read-only file system\n');
});

test('a mask that is a symlink hides what it points to, inside the rootfs', async () => {
  const config: Run['config'] = (config, bundle) => {
    withSecrets({ maskedPaths: ['/link'] })(config, bundle);
    symlinkSync('/etc/secret', join(bundle.rootfs, 'link'));
  };
  assert.is(await outputOf(['cat', '/etc/secret', '/link'], { config }), '');
});

test('a mask is not taken away without CAP_SYS_ADMIN', async () => {
  const printed = await outputOf(['try', 'umount', '/proc/keys']);
  assert.is(printed, 'umount: 1 Operation not permitted\n');
});

test('read-only paths are read-only, and can be read', async () => {
  const config = withSecrets({
    readonlyPaths: ['/etc/secrets', '/etc/secret', '/proc/sys', '/missing', '/payload/x'],
  });
  const tries = ['/etc/secrets/key', '/etc/secret', '/proc/sys/kernel/hostname'].flatMap((path) => [
    'try',
    'write',
    path,
    'x',
    '--',
  ]);
  const printed = await outputOf(['cat', '/etc/secret', '--', ...tries, 'write', '/etc/free', ''], {
    config,
  });
  assert.is(printed, `secret${'write: 30 Read-only file system\n'.repeat(3)}`);
});

test('a read-only path keeps the other options of the mount that it is on', async () => {
  const config = (config: Config) => {
    config.mounts!.push({
      destination: '/data',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['noexec', 'nosuid'],
    });
    linux({ readonlyPaths: ['/data'] })(config);
  };
  assert.equal(mountAt(await outputOf(['mountinfo'], { config }), '/data').options, [
    'ro',
    'nosuid',
    'noexec',
    'relatime',
  ]);
});

test('read-only paths are read-only with all mounts below them', async () => {
  const config = (config: Config) => {
    for (const destination of ['/data', '/data/below'])
      config.mounts!.push({ destination, type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] });
    linux({ readonlyPaths: ['/data'] })(config);
  };
  assert.is(
    await outputOf(['try', 'write', '/data/below/x', ''], { config }),
    'write: 30 Read-only file system\n',
  );
});

test('annotations are accepted, whatever they say', async () => {
  const config = (config: Config) => {
    config.annotations = { 'org.example.any': 'x', 'io.tinyrun.unknown': '', a: '{' };
  };
  assert.is(await outputOf(['args', 'here'], { config }), 'here\n');
});

test('--no-pivot gives the same root, by chroot', async () => {
  const printed = await outputOf(['ls', '/', '--', 'cwd'], { flags: ['--no-pivot'] });
  assert.is(printed, 'dev\netc\npayload\nproc\nsys\ntmp\n/\n');
});

test.run();
