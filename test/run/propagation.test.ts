// Mount events between the host and a container: which way they go, by a mount's propagation and by rootfsPropagation.
// The host is a mount namespace of the test's own whose mounts are shared, so that the machine's stay as they are.
// OCI config.md, "Mounts"; config-linux.md, "Rootfs Mount Propagation"; mount_namespaces(7).

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { inMountNamespace, mountAt, outputOf, parseMountinfo, runCommand } from '../support/container.ts';

interface Seen {
  /** A mount that the host made below the source, or the rootfs, while the container ran. */
  inside: boolean;
  /** A mount that the container made there. */
  outside: boolean;
}

const DONE = '=== the container has ended';

/**
 * Lets host and container each mount something below the same directory while the container runs: below `bind`, bound
 * on /data, or below the rootfs.
 */
async function exchange(where: { bind: string[] } | { rootfs: string }, below = '.'): Promise<Seen> {
  let seen: Seen | undefined;
  await withBundle((bundle) => {
    const { config, dir } = bundle;
    for (const name of ['source', 'sync']) mkdirSync(join(dir, name));
    config.mounts!.push({ destination: '/sync', source: 'sync', options: ['bind', 'private'] });
    const capabilities = ['CAP_SYS_ADMIN'];
    config.process.capabilities = {
      bounding: capabilities,
      permitted: capabilities,
      effective: capabilities,
    };
    const isBind = 'bind' in where;
    if (isBind) config.mounts!.push({ destination: '/data', source: 'source', options: where.bind });
    else config.linux!.rootfsPropagation = where.rootfs;
    writeConfig(bundle);

    const top = isBind ? `${dir}/source` : bundle.rootfs;
    const data = isBind ? '/data' : '';
    const setUp = [
      ...(isBind ? [`mount -t tmpfs source ${top}`] : [`mount --bind ${top} ${top}`]),
      `mkdir -p ${top}/sub && mount -t tmpfs sub ${top}/sub`,
      `mkdir -p ${top}/${below}/hosts ${top}/${below}/containers`,
    ];
    const commands = ['mount', 'c', `${data}/${below}/containers`, 'tmpfs', '--', 'write', '/sync/ready', ''];
    commands.push('--', 'await', '/sync/go', '--', 'mountinfo');
    const script = [
      ...setUp,
      '"$@" & child=$!',
      `while [ ! -e ${dir}/sync/ready ] && kill -0 $child; do sleep 0.01; done`,
      `mount -t tmpfs h ${top}/${below}/hosts; touch ${dir}/sync/go`,
      `wait $child; echo '${DONE}'; cat /proc/self/mountinfo; exit 0`,
    ];
    const run = [
      tinyrun,
      '--root',
      bundle.root,
      '--data-root',
      bundle.dataRoot,
      'run',
      dir,
      '--',
      '/payload',
    ];
    const { stdout, stderr } = runCommand([...inMountNamespace(script.join('\n')), ...run, ...commands]);
    const [container = '', host = ''] = stdout.split(DONE);
    assert.is(stderr, '');
    const has = (text: string, source: string) =>
      parseMountinfo(text).some((mount) => mount.source === source);
    assert.ok(has(container, 'c') && has(host, 'h'), stdout);
    seen = { inside: has(container, 'h'), outside: has(host, 'c') };
  });
  return seen!;
}

const NEITHER = { inside: false, outside: false };
const INWARDS = { inside: true, outside: false };
const BOTH = { inside: true, outside: true };

test('a private bind passes events neither way', async () => {
  assert.equal(await exchange({ bind: ['rbind', 'private'] }), NEITHER);
  assert.equal(await exchange({ bind: ['rbind', 'rprivate'] }, 'sub'), NEITHER);
});

test('a slave bind gets what the host mounts, and gives nothing', async () => {
  assert.equal(await exchange({ bind: ['rbind', 'slave'] }), INWARDS);
  assert.equal(await exchange({ bind: ['rbind', 'rslave'] }, 'sub'), INWARDS);
});

test('a shared bind passes events both ways', async () => {
  assert.equal(await exchange({ bind: ['rbind', 'shared'] }), BOTH);
  assert.equal(await exchange({ bind: ['bind', 'shared'] }), BOTH);
});

test('an rshared bind passes events of the mounts below it as well', async () => {
  assert.equal(await exchange({ bind: ['rbind', 'rshared'] }), BOTH);
  assert.equal(await exchange({ bind: ['rbind', 'rshared'] }, 'sub'), BOTH);
});

test('without an option a bind gives nothing to the host', async () => {
  assert.equal(await exchange({ bind: ['rbind'] }), INWARDS);
  assert.equal(await exchange({ bind: ['rbind'] }, 'sub'), INWARDS);
});

test('rprivate and rslave at once is a contradiction, slave and shared is not', async () => {
  assert.equal(await exchange({ bind: ['rbind', 'slave', 'shared'] }), INWARDS);
});

test('whatever rootfsPropagation is, the host sees no mount of the container', async () => {
  for (const value of [
    'private',
    'rprivate',
    'slave',
    'rslave',
    'shared',
    'rshared',
    'unbindable',
    'runbindable',
  ])
    assert.not((await exchange({ rootfs: value })).outside, value);
});

test('with rootfsPropagation slave and shared the container sees what the host mounts in the rootfs', async () => {
  assert.equal(await exchange({ rootfs: 'slave' }), INWARDS);
  assert.equal(await exchange({ rootfs: 'rslave' }, 'sub'), INWARDS);
  assert.equal(await exchange({ rootfs: 'rshared' }), INWARDS);
  assert.equal(await exchange({ rootfs: 'private' }), NEITHER);
  assert.equal(await exchange({ rootfs: 'rprivate' }, 'sub'), NEITHER);
});

test('rootfsPropagation is how the root mount itself propagates', async () => {
  const propagation = async (rootfsPropagation: string) => {
    const printed = await outputOf(['mountinfo'], {
      via: inMountNamespace(),
      config: ({ linux }) => {
        linux!.rootfsPropagation = rootfsPropagation;
      },
    });
    return mountAt(printed, '/').propagation.map((text) => text.replace(/:.*/, ''));
  };
  assert.equal(await propagation('private'), []);
  assert.equal(await propagation('rprivate'), []);
  assert.equal(await propagation('slave'), ['master']);
  assert.equal(await propagation('rslave'), ['master']);
  assert.equal(await propagation('shared'), ['shared', 'master']);
  assert.equal(await propagation('rshared'), ['shared', 'master']);
  assert.equal(await propagation('unbindable'), ['unbindable']);
  assert.equal(await propagation('runbindable'), ['unbindable']);
});

test('a recursive rootfsPropagation holds for the mounts of the config as well', async () => {
  const procs = async (rootfsPropagation: string) =>
    mountAt(
      await outputOf(['mountinfo'], {
        config: ({ linux }) => {
          linux!.rootfsPropagation = rootfsPropagation;
        },
      }),
      '/proc',
    ).propagation.length;
  assert.is(await procs('shared'), 0);
  assert.is(await procs('rshared'), 1);
});

test.run();
