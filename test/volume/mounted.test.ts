// Volumes that are mounted while they are used: what the driver `local` mounts by its options, who counts as a user, and
// that nothing is left mounted or attached. Needs root.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { mountVolume, releaseVolume, withData } from '../../src/volume/mounted.ts';
import { mountAt, runCommand } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { mountsIn, type Store, withStore } from '../support/volumes.ts';

const mountinfo = (): string => readFileSync('/proc/self/mountinfo', 'utf8');

/** Creates a volume with options of the driver. */
const create = (store: Store, name: string, ...options: string[]): string =>
  store.output('create', ...options.flatMap((option) => ['-o', option]), name);

/** Containers that are there, as far as a volume is concerned. */
function makeContainers({ dataRoot }: Store, ...ids: string[]): void {
  for (const id of ids) mkdirSync(join(dataRoot, 'containers', id), { recursive: true });
}

async function errorOf(work: Promise<unknown>): Promise<TinyrunError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('no error');
}

const holdersOf = ({ volumes }: Store, name: string): string[] =>
  JSON.parse(readFileSync(join(volumes, name, 'mounts.json'), 'utf8')).holders;

const thisBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
const writeHolders = ({ volumes }: Store, name: string, holders: string[], boot = thisBoot): void =>
  writeFileSync(join(volumes, name, 'mounts.json'), JSON.stringify({ boot, holders }));

/** The files behind loop devices. */
const attached = (): string[] =>
  readdirSync('/sys/block')
    .map((name) => `/sys/block/${name}/loop/backing_file`)
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8').trim());

const loopsIn = ({ top }: Store): string[] => attached().filter((path) => path.startsWith(`${top}/`));

/** An autoclear device goes a moment after its last use. */
async function assertNoLoops(store: Store): Promise<void> {
  for (let tries = 0; loopsIn(store).length > 0 && tries < 100; tries++) await Bun.sleep(50);
  assert.equal(loopsIn(store), []);
}

test('a plain volume is never mounted', () =>
  withStore(async (store) => {
    create(store, 'plain');
    makeContainers(store, 'c1');
    assert.is(await mountVolume(store.dataRoot, 'plain', 'c1'), store.data('plain'));
    assert.equal(mountsIn(store.top), []);
    assert.equal(readdirSync(join(store.volumes, 'plain')).sort(), ['_data', 'volume.json']);
    await releaseVolume(store.dataRoot, 'plain', 'c1');
  }));

test('a tmpfs is mounted for the first user and unmounted with the last', () =>
  withStore(async (store) => {
    create(store, 'mem', 'type=tmpfs', 'device=tmpfs', 'o=size=1m,uid=1000,nodev');
    assert.equal(mountsIn(store.top), []);
    makeContainers(store, 'c1', 'c2');
    const path = await mountVolume(store.dataRoot, 'mem', 'c1');
    writeFileSync(join(path, 'file'), 'x');
    assert.is(statSync(path).uid, 1000);
    assert.ok(mountAt(mountinfo(), path).options.includes('nodev'));
    await mountVolume(store.dataRoot, 'mem', 'c2');
    await mountVolume(store.dataRoot, 'mem', 'c2');
    assert.equal(mountsIn(store.top), [path]);
    assert.match(store.refusal('rm', 'mem'), 'remove mem: volume is in use - [c1, c2]');
    await releaseVolume(store.dataRoot, 'mem', 'c1');
    await releaseVolume(store.dataRoot, 'mem', 'c1');
    assert.ok(existsSync(join(path, 'file')));
    await releaseVolume(store.dataRoot, 'mem', 'c2');
    assert.equal(mountsIn(store.top), []);
    store.output('rm', 'mem');
  }));

test('-o size= with a tmpfs is its size', () =>
  withStore(async (store) => {
    create(store, 'mem', 'type=tmpfs', 'device=tmpfs', 'size=2m');
    await withData(store.dataRoot, 'mem', (path) => {
      const { blocks, bsize } = statfsSync(path);
      assert.is(blocks * bsize, 2 << 20);
    });
  }));

test('who uses a volume is said in words, where it is no container', () =>
  withStore(async (store) => {
    create(store, 'sized', 'size=2m');
    store.output('mount', 'sized');
    assert.is(
      store.refusal('rm', 'sized'),
      'tinyrun: remove sized: volume is in use - [command]; used by `volume mount`, until ' +
        '`tinyrun volume unmount sized`: remove what uses it first',
    );
    store.output('unmount', 'sized');
    await withData(store.dataRoot, 'sized', () => {
      const said = store.refusal('rm', 'sized');
      assert.ok(said.endsWith(`; used by process ${process.pid}: remove what uses it first`), said);
    });
    store.output('rm', 'sized');
    await assertNoLoops(store);
  }));

test('a volume of limited size on any filesystem: full is ENOSPC, and nothing worse', () =>
  withStore(async (store) => {
    create(store, 'small', 'size=8m');
    makeContainers(store, 'c1');
    const path = await mountVolume(store.dataRoot, 'small', 'c1');
    assert.equal(readdirSync(path), []);
    assert.is((statSync(path).mode & 0o7777).toString(8), '755');
    writeFileSync(join(path, 'kept'), 'x');
    assert.throws(() => writeFileSync(join(path, 'big'), new Uint8Array(16 << 20)), /ENOSPC/);
    rmSync(join(path, 'big'));
    writeFileSync(join(path, 'more'), 'x');
    await releaseVolume(store.dataRoot, 'small', 'c1');
    await assertNoLoops(store);
    assert.equal(readdirSync(path), []);
    await withData(store.dataRoot, 'small', (again) => {
      assert.equal(readdirSync(again).sort(), ['kept', 'more']);
    });
    await assertNoLoops(store);
    store.output('rm', 'small');
  }));

test('o=bind is a directory of the host, and ro holds', () =>
  withStore(async (store) => {
    mkdirSync(join(store.top, 'host'));
    writeFileSync(join(store.top, 'host/file'), 'x');
    create(store, 'bound', 'type=none', `device=${store.top}/host`, 'o=bind,ro');
    await withData(store.dataRoot, 'bound', (path) => {
      assert.is(readFileSync(join(path, 'file'), 'utf8'), 'x');
      assert.throws(() => writeFileSync(join(path, 'new'), ''), /EROFS/);
    });
    store.output('rm', 'bound');
    assert.ok(existsSync(join(store.top, 'host/file')));
  }));

test('an overlay of many layers', () =>
  withStore(async (store) => {
    const layers = Array.from({ length: 20 }, (_, i) => join(store.top, `layer-${i}-${'x'.repeat(60)}`));
    for (const [i, layer] of layers.entries()) {
      mkdirSync(layer);
      writeFileSync(join(layer, `file${i}`), '');
    }
    for (const name of ['upper', 'work']) mkdirSync(join(store.top, name));
    const o = `o=lowerdir=${layers.join(':')},upperdir=${store.top}/upper,workdir=${store.top}/work`;
    create(store, 'layered', 'type=overlay', 'device=overlay', o);
    await withData(store.dataRoot, 'layered', (path) => {
      assert.is(readdirSync(path).length, 20);
      writeFileSync(join(path, 'new'), '');
    });
    assert.ok(existsSync(join(store.top, 'upper/new')));
  }));

for (const type of ['ext4', 'xfs', 'btrfs'])
  test(`${type} in a file of the host is mounted by a loop device`, async () => {
    if (Bun.which(`mkfs.${type}`) === null || !readFileSync('/proc/filesystems', 'utf8').includes(type))
      return skip(`${type} in a file`, `no mkfs.${type}, or none in the kernel`);
    await withStore(async (store) => {
      const image = join(store.top, 'image');
      writeFileSync(image, '');
      truncateSync(image, 320 << 20);
      execFileSync(`mkfs.${type}`, ['-q', image], { stdio: 'ignore' });
      create(store, 'disk', `type=${type}`, `device=${image}`, 'o=loop,noatime');
      await withData(store.dataRoot, 'disk', (path) => {
        assert.is(mountAt(mountinfo(), path).type, type);
        writeFileSync(join(path, 'file'), 'x');
      });
      await assertNoLoops(store);
    });
  });

test('S2: what the kernel has not is one clear error that names it', () =>
  withStore(async (store) => {
    const known = readFileSync('/proc/filesystems', 'utf8');
    if (/\tnfs\n/.test(known)) return skip('a kernel without NFS', 'this one has it');
    create(store, 'nfsv', 'type=nfs', 'o=addr=127.0.0.1,rw', 'device=:/exp');
    makeContainers(store, 'c1');
    const error = await errorOf(mountVolume(store.dataRoot, 'nfsv', 'c1'));
    assert.is(error.message, 'mount volume nfsv: the kernel has no filesystem nfs');
    assert.match(error.hint ?? '', 'modprobe nfs');
    assert.equal(holdersOf(store, 'nfsv'), []);
    store.output('rm', 'nfsv');
  }));

test('a host name that nobody knows', () =>
  withStore(async (store) => {
    create(store, 'far', 'type=nfs', 'o=addr=no-such-host.invalid', 'device=:/exp');
    const unknown = await errorOf(mountVolume(store.dataRoot, 'far', 'c1'));
    assert.match(unknown.message, 'mount volume far: resolve address of no-such-host.invalid: ');
  }));

test('errors have the words of the kernel, and no password', () =>
  withStore(async (store) => {
    create(store, 'bad', 'type=tmpfs', 'device=tmpfs', 'o=size=1m,password=secret,nosuch=1');
    makeContainers(store, 'c1');
    const { message } = await errorOf(mountVolume(store.dataRoot, 'bad', 'c1'));
    assert.match(
      message,
      'mount volume bad: set password (type tmpfs, device tmpfs, options size=1m,password=********,nosuch=1): EINVAL',
    );
    assert.match(message, "Unknown parameter 'password'");
    assert.not.match(message, 'secret');
    create(store, 'missing', 'type=none', `device=${store.top}/nosuch`, 'o=bind');
    const missing = await errorOf(mountVolume(store.dataRoot, 'missing', 'c1'));
    assert.match(
      missing.message,
      `open ${store.top}/nosuch (type none, device ${store.top}/nosuch, options bind): ENOENT`,
    );
  }));

test('a user that is gone does not count: its mount is taken back by the next one', () =>
  withStore(async (store) => {
    create(store, 'mem', 'type=tmpfs', 'device=tmpfs');
    makeContainers(store, 'gone', 'here');
    const path = await mountVolume(store.dataRoot, 'mem', 'gone');
    writeFileSync(join(path, 'old'), '');
    rmSync(join(store.dataRoot, 'containers/gone'), { recursive: true });
    await mountVolume(store.dataRoot, 'mem', 'here');
    assert.equal(readdirSync(path), []);
    assert.equal(holdersOf(store, 'mem'), ['here']);
    rmSync(join(store.dataRoot, 'containers/here'), { recursive: true });
    store.output('rm', 'mem');
    assert.equal(mountsIn(store.top), []);
  }));

test('after a reboot nothing is mounted, whatever was written down', () =>
  withStore(async (store) => {
    create(store, 'mem', 'type=tmpfs', 'device=tmpfs');
    makeContainers(store, 'c1', 'c2');
    writeHolders(store, 'mem', ['c1'], 'another');
    const path = await mountVolume(store.dataRoot, 'mem', 'c2');
    assert.equal(mountsIn(store.top), [path]);
    await releaseVolume(store.dataRoot, 'mem', 'c2');
    assert.equal(mountsIn(store.top), []);
  }));

test('a process that was killed does not hold a volume', () =>
  withStore(async (store) => {
    create(store, 'mem', 'type=tmpfs', 'device=tmpfs');
    makeContainers(store, 'c1');
    writeHolders(store, 'mem', ['process-4194304-1']);
    store.output('rm', 'mem');
  }));

test('rm does not remove what is mounted in a volume', () =>
  withStore((store) => {
    create(store, 'data');
    mkdirSync(join(store.data('data'), 'inner'));
    const inner = join(store.data('data'), 'inner');
    runCommand(['mount', '-t', 'tmpfs', 'tmpfs', inner]);
    assert.match(
      store.refusal('rm', 'data'),
      `remove data: volume is in use - something is mounted on ${inner}`,
    );
    runCommand(['umount', inner]);
    store.output('rm', 'data');
  }));

test.run();
