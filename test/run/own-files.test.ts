// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container with an overlay: its own, and in no layer.
// Docker's flags; spec/volumes.md.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { withBundle } from '../support/bundle.ts';
import { mountAt, output, outputOf, type Run, refusalOf, runPayload } from '../support/container.ts';
import { makeLayers } from '../support/layers.ts';
import { listTree } from '../support/refusal.ts';

const OVERLAY: Run = { flags: ['--overlay'] };

test('hosts, hostname and resolv.conf are the container’s own, by the flags', async () => {
  const flags = ['--overlay', '--hostname', 'box', '--add-host', 'db:10.0.0.7', '--add-host', 'six=[::7]'];
  flags.push('--dns', '192.0.2.53', '--dns-search', 'example.org');
  const printed = await outputOf(
    ['cat', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '--', 'hostname'],
    { flags },
  );
  assert.match(printed, /^127\.0\.0\.1\tlocalhost\n/);
  assert.match(printed, '\n10.0.0.7\tdb\n::7\tsix\n');
  assert.match(printed, /127\.0\.1\.1\tbox\nbox\nnameserver 192\.0\.2\.53\nsearch example\.org\nbox\n$/);
});

test('flags for them are refused without an overlay, which would ignore them', async () => {
  for (const [flag, value] of [
    ['--add-host', 'db:10.0.0.7'],
    ['--dns', '192.0.2.53'],
    ['--dns-search', 'a.b'],
  ])
    assert.match(await refusalOf({ flags: [flag!, value!] }), `${flag} ${value}: without an overlay`);
});

test('they hide those of the image, and are mounts of their own', async () => {
  const config: Run['config'] = (_config, { rootfs }) => {
    for (const name of ['hosts', 'hostname', 'resolv.conf'])
      writeFileSync(join(rootfs, 'etc', name), 'of the image');
  };
  const printed = await outputOf(
    ['mountinfo', '--', 'cat', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf'],
    { ...OVERLAY, config },
  );
  assert.not.match(printed, 'of the image');
  for (const name of ['hosts', 'hostname', 'resolv.conf'])
    assert.match(mountAt(printed, `/etc/${name}`).root, `/${name}`);
});

test('what the container writes to them is in neither a layer nor upper, and can be read back', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, { base: { 'etc/x': '' }, top: { 'etc/y': '' } });
    const commands = [
      'write',
      '/etc/hosts',
      'mine',
      '--',
      'write',
      '/etc/resolv.conf',
      'too',
      '--',
      'cat',
      '/etc/hosts',
      '/etc/resolv.conf',
    ];
    assert.is(output(runPayload(bundle, commands, { flags: ['--name', bundle.id] })), 'minetoo');
    const data = join(bundle.dataRoot, 'containers', bundle.id);
    assert.equal(listTree(join(data, 'upper')), []);
    assert.is(readFileSync(join(data, 'hosts'), 'utf8'), 'mine');
    for (const layer of ['base', 'top']) assert.not(existsSync(join(bundle.dir, layer, 'etc/hosts')));
    assert.is(readFileSync(join(bundle.dataRoot, 'init-layer/etc/hosts'), 'utf8'), '');
  });
});

test('in the host’s network the host’s names hold', async () => {
  const config = ({ linux }: Config) => {
    linux!.namespaces = linux!.namespaces!.filter(({ type }) => type !== 'network');
  };
  const withoutSysfs = (all: Config) => {
    config(all);
    all.mounts = all.mounts!.filter(({ type }) => type !== 'sysfs' && type !== 'cgroup');
  };
  const printed = await outputOf(['cat', '/etc/hosts'], { ...OVERLAY, config: withoutSysfs });
  assert.ok(printed.startsWith(readFileSync('/etc/hosts', 'utf8')));
});

test.run();
