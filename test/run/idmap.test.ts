// Idmapped binds: whose files a container sees on a mount, and whose they are on disk when it writes there. OCI
// config.md, "Mounts".

import { chmodSync, chownSync, mkdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, IdMapping, Mount } from '../../src/oci/config.ts';
import { type Bundle, withBundle } from '../support/bundle.ts';
import { output, refusalOf, runPayload, until, withHelper } from '../support/container.ts';
import { skip } from '../support/skip.ts';

const map = (containerID: number, hostID: number, size: number): IdMapping[] => [
  { containerID, hostID, size },
];
const MAPPED = map(0, 100000, 65536);

function inUserNamespace({ linux, process }: Config): void {
  linux!.namespaces!.push({ type: 'user' });
  linux!.uidMappings = linux!.gidMappings = MAPPED;
  const all = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_SETUID', 'CAP_SETGID'];
  process.capabilities = { bounding: all, permitted: all, effective: all };
}

/** A bundle whose folder `shared`, with a file of user 5 and group 6 in it, is bound on /shared. */
function share({ dir, rootfs, config }: Bundle, mount: Partial<Mount>): void {
  const file = join(dir, 'shared/file');
  mkdirSync(join(dir, 'shared'));
  mkdirSync(join(rootfs, 'shared'));
  writeFileSync(file, '');
  chmodSync(join(dir, 'shared'), 0o777);
  for (const path of [file, join(dir, 'shared')]) chownSync(path, 5, 6);
  config.mounts!.push({ destination: '/shared', source: 'shared', options: ['bind'], ...mount });
}

/** The owner that a container sees of the file, and that the host sees of one that it makes; undefined: not here. */
async function owners(
  name: string,
  change: (config: Config) => void,
  mount: Partial<Mount>,
): Promise<string[] | undefined> {
  let owners: string[] | undefined;
  await withBundle((bundle) => {
    share(bundle, mount);
    change(bundle.config);
    const result = runPayload(bundle, ['write', '/shared/new', '', '--', 'stat', '/shared/file']);
    if (result.stderr.includes('does not support idmapped mounts'))
      return skip(name, 'the filesystem of the temporary folder does not support idmapped mounts');
    const printed = output(result);
    const { uid, gid } = statSync(join(bundle.dir, 'shared/new'));
    owners = [/ (\d+ \d+) \d+:\d+ /.exec(printed)?.[1] ?? printed, `${uid} ${gid}`];
  });
  return owners;
}

function ownersTest(
  name: string,
  change: (config: Config) => void,
  mount: Partial<Mount>,
  expected: [string, string],
): void {
  test(name, async () => {
    const found = await owners(name, change, mount);
    if (found !== undefined) assert.equal(found, expected);
  });
}

const unchanged = (): void => {};

ownersTest(
  'with mappings of its own, a bind shows other owners, and the container writes as them',
  unchanged,
  { uidMappings: [...map(5, 1005, 1), ...map(7, 0, 1)], gidMappings: [...map(6, 2006, 1), ...map(8, 0, 1)] },
  ['1005 2006', '7 8'],
);

ownersTest(
  'idmap without mappings means those of the user namespace: files are on disk as in the container',
  inUserNamespace,
  { options: ['rbind', 'idmap'] },
  ['5 6', '0 0'],
);

ownersTest('without it, files of ids that are not mapped are nobody’s', inUserNamespace, {}, [
  '65534 65534',
  '100000 100000',
]);

test('idmap in a joined user namespace takes the mappings of that', async () => {
  const name = 'idmap in a joined user namespace';
  const user = (pid: number | 'self'): string => readlinkSync(`/proc/${pid}/ns/user`);
  await withHelper(['unshare', '--user', 'sleep', '60'], async (pid) => {
    await until('it is in a user namespace', () => user(pid) !== user('self'));
    for (const file of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${file}`, '0 300000 65536\n');
    const join = ({ linux }: Config): void =>
      void linux!.namespaces!.push({ type: 'user', path: `/proc/${pid}/ns/user` });
    const found = await owners(name, join, { options: ['bind', 'ridmap'] });
    if (found !== undefined) assert.equal(found, ['5 6', '0 0']);
  });
});

test('a filesystem that cannot be idmapped is told, with its mount', async () => {
  const mount = {
    destination: '/k',
    source: '/proc/sys',
    options: ['bind'],
    uidMappings: MAPPED,
    gidMappings: MAPPED,
  };
  const words = await refusalOf({ config: ({ mounts }) => void mounts!.push(mount) });
  assert.is(
    words,
    'tinyrun: mount /proc/sys on /k (bind): map its ids: the filesystem of /proc/sys does not support idmapped mounts, or is idmapped already',
  );
});

test.run();
