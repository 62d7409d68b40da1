// Device nodes of a container: the default ones, those of the config, and what may stand in their place.
// OCI config-linux.md, "Default Devices", "Devices".

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Device } from '../../src/oci/config.ts';
import type { Bundle } from '../support/bundle.ts';
import { outputOf, type Run, refusalOf } from '../support/container.ts';

const devices =
  (...list: Device[]) =>
  ({ linux }: Config): void => {
    linux!.devices = list;
  };

/** No mounts but proc: /dev is a directory of the rootfs. */
const plainDev = (config: Config): void => {
  config.mounts = [config.mounts![0]!];
};

test('the default devices are there, with mode 0666, whatever the umask of the caller', async () => {
  const paths = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`);
  const printed = await outputOf(['stat', ...paths], { via: ['sh', '-c', 'umask 077; exec "$@"', 'sh'] });
  const numbers = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0'];
  assert.is(printed, paths.map((path, i) => `char 0666 0 0 ${numbers[i]} 0 ${path}\n`).join(''));
});

test('they work: null swallows, zero gives, full is full', async () => {
  const commands = [
    'write',
    '/dev/null',
    'x',
    '--',
    'cat',
    '/dev/null',
    '--',
    'try',
    'write',
    '/dev/full',
    'x',
  ];
  assert.is(await outputOf(commands), 'write: 28 No space left on device\n');
});

test('the links of /dev lead to proc and to devpts', async () => {
  const names = ['fd', 'stdin', 'stdout', 'stderr', 'ptmx'];
  const printed = await outputOf(names.flatMap((name) => ['readlink', `/dev/${name}`, '--']));
  assert.is(printed, '/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n');
});

test("a ptmx of the host that the config lists is the container's own all the same", async () => {
  const config = devices({ type: 'c', path: '/dev/ptmx', major: 5, minor: 2, fileMode: 0o666 });
  assert.is(await outputOf(['readlink', '/dev/ptmx'], { config }), 'pts/ptmx\n');
});

test('/dev has nothing else', async () => {
  assert.is(
    await outputOf(['ls', '/dev']),
    'fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n',
  );
});

test('a device of the config has its type, numbers, mode and owner', async () => {
  const config = devices(
    { type: 'c', path: '/dev/one', major: 10, minor: 200, fileMode: 0o600, uid: 7, gid: 8 },
    { type: 'b', path: '/dev/two', major: 4095, minor: 1048575, fileMode: 0o24640 },
    { type: 'u', path: '/dev/three', major: 1, minor: 3 },
    { type: 'p', path: '/dev/four', fileMode: 0o622 },
  );
  assert.is(
    await outputOf(['stat', '/dev/one', '/dev/two', '/dev/three', '/dev/four'], { config }),
    'char 0600 7 8 10:200 0 /dev/one\nblock 4640 0 0 4095:1048575 0 /dev/two\n' +
      'char 0666 0 0 1:3 0 /dev/three\nfifo 0622 0 0 0:0 0 /dev/four\n',
  );
});

test('a device of the config takes the place of the default one', async () => {
  const config = devices({ type: 'c', path: '/dev/null', major: 1, minor: 3, fileMode: 0o600, uid: 5 });
  assert.is(await outputOf(['stat', '/dev/null'], { config }), 'char 0600 5 0 1:3 0 /dev/null\n');
});

test('a device may be in a directory that is missing, and outside of /dev', async () => {
  const config = devices(
    { type: 'c', path: '/dev/deep/er/null', major: 1, minor: 3 },
    { type: 'c', path: '/srv/devices/null', major: 1, minor: 3 },
    { type: 'c', path: '/null', major: 1, minor: 3 },
  );
  const printed = await outputOf(['stat', '/dev/deep/er/null', '/srv/devices/null', '/null', '/dev/deep'], {
    config,
  });
  assert.match(printed, /^(char 0666 0 0 1:3 0 \S+\n){3}directory 0755 0 0 /);
});

test('a /dev of the rootfs itself gets its devices once, and again in the next run', async () => {
  const twice: Run['config'] = (config, bundle) => {
    plainDev(config);
    mknod(bundle, 'null', '1', '3');
    mknod(bundle, 'tty', '5', '0');
  };
  assert.match(
    await outputOf(['stat', '/dev/null', '/dev/tty', '/dev/zero'], { config: twice }),
    /(char .*\n){3}/,
  );
});

const mknod = ({ rootfs }: Bundle, name: string, major: string, minor: string): void => {
  const { exitCode } = Bun.spawnSync(['mknod', '-m', '666', join(rootfs, 'dev', name), 'c', major, minor]);
  assert.is(exitCode, 0);
};

test('another device, a file or a link in the place of a device is an error', async () => {
  const wrong = (make: (bundle: Bundle) => void): Run => ({
    config: (config, bundle) => {
      plainDev(config);
      make(bundle);
    },
  });
  const refused = (make: (bundle: Bundle) => void) => refusalOf(wrong(make));
  const message = 'make device /dev/null: another file is there';
  assert.match(await refused((bundle) => mknod(bundle, 'null', '1', '5')), message);
  assert.match(await refused((bundle) => mknod(bundle, 'null', '2', '3')), message);
  assert.match(await refused(({ rootfs }) => writeFileSync(join(rootfs, 'dev/null'), '')), message);
  assert.match(await refused(({ rootfs }) => mkdirSync(join(rootfs, 'dev/null'))), message);
  assert.match(await refused(({ rootfs }) => symlinkSync('/dev/zero', join(rootfs, 'dev/null'))), message);
});

// Where nothing is mounted on /dev, one that is a symlink is refused: hostile-rootfs.test.ts.
test('a tmpfs on a /dev that is a symlink is mounted where that leads inside the rootfs, never on the host', async () => {
  const config: Run['config'] = (_config, { rootfs }) => {
    Bun.spawnSync(['rmdir', join(rootfs, 'dev')]);
    mkdirSync(join(rootfs, 'elsewhere'));
    symlinkSync('/elsewhere', join(rootfs, 'dev'));
  };
  assert.match(await outputOf(['stat', '/elsewhere/null'], { config }), /^char 0666 0 0 1:3/);
});

test("the image's own ptmx gives way to that of the container's devpts", async () => {
  const config: Run['config'] = (config, bundle) => {
    plainDev(config);
    mknod(bundle, 'ptmx', '5', '2');
  };
  assert.is(await outputOf(['readlink', '/dev/ptmx'], { config }), 'pts/ptmx\n');
});

test.run();
