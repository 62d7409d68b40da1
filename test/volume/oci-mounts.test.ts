import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { parseTmpfsFlag, parseVolumeFlag } from '../../src/volume/flag.ts';
import type { VolumeMount } from '../../src/volume/mount.ts';
import { parseMountFlag } from '../../src/volume/mount-flag.ts';
import { byDepth, distinctMounts, toFlagMount } from '../../src/volume/oci-mounts.ts';

const v = (text: string) => parseVolumeFlag(text, '/cwd');
const m = (text: string) => parseMountFlag(text, '/cwd');
const t = parseTmpfsFlag;
const toOciMounts = (mounts: VolumeMount[]) =>
  byDepth(distinctMounts(mounts), ({ destination }) => destination).map((mount) => toFlagMount(mount));

function errorOf(run: () => unknown): TinyrunError {
  try {
    run();
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('mounts of flags: a bind has its source, whether to make it, and the flag it comes from', () => {
  assert.equal(toOciMounts([v('/srv:/data')]), [
    {
      mount: { destination: '/data', type: 'bind', source: '/srv', options: ['rbind', 'rprivate'] },
      createSource: true,
      from: '--volume /srv:/data',
    },
  ]);
  assert.is(toOciMounts([m('type=bind,src=/srv,dst=/data')])[0]!.createSource, false);
});

test("toOciMounts: options have Docker's defaults", () => {
  const rows: [string[] | undefined, string[]][] = [
    [toOciMounts([v('/s:/d:ro')])[0]!.mount.options, ['rbind', 'rprivate', 'rro']],
    [toOciMounts([v('/s:/d:rw')])[0]!.mount.options, ['rbind', 'rprivate']],
    [toOciMounts([v('/s:/d:slave,ro')])[0]!.mount.options, ['rbind', 'slave', 'rro']],
    [toOciMounts([v('/s:/d:bind,nodev,ro')])[0]!.mount.options, ['bind', 'rprivate', 'ro', 'nodev']],
    [
      toOciMounts([m('type=bind,src=/s,dst=/d,ro,bind-recursive=writable')])[0]!.mount.options,
      ['rbind', 'rprivate', 'ro'],
    ],
    [
      toOciMounts([m('type=bind,src=/s,dst=/d,ro,bind-recursive=disabled')])[0]!.mount.options,
      ['bind', 'rprivate', 'ro'],
    ],
    [toOciMounts([t('/run')])[0]!.mount.options, ['noexec', 'nosuid', 'nodev', 'rprivate']],
    [
      toOciMounts([t('/run:exec,size=1m,shared')])[0]!.mount.options,
      ['nosuid', 'nodev', 'exec', 'size=1m', 'shared'],
    ],
    [toOciMounts([t('/run:ro')])[0]!.mount.options, ['noexec', 'nosuid', 'nodev', 'rprivate', 'ro']],
    [
      toOciMounts([m('type=tmpfs,dst=/run,ro,tmpfs-mode=700')])[0]!.mount.options,
      ['noexec', 'nosuid', 'nodev', 'rprivate', 'ro', 'mode=700'],
    ],
  ];
  for (const [options, expected] of rows) assert.equal(options, expected);
});

test('mounts of flags: parents come before children, others stay in the order given', () => {
  const mounts = toOciMounts([v('/1:/a/b/c'), t('/z'), v('/2:/a'), m('type=bind,src=/3,dst=/b/c')]);
  assert.equal(
    mounts.map(({ mount }) => mount.destination),
    ['/z', '/a', '/b/c', '/a/b/c'],
  );
});

test('mounts of flags: a destination may be given once, by whichever flag and spelling', () => {
  for (const pair of [
    [v('/1:/x'), v('/2:/x/')],
    [v('/1:/x'), t('/x')],
    [m('type=tmpfs,dst=/x'), v('/1:/y/../x')],
  ]) {
    const error = errorOf(() => toOciMounts(pair));
    assert.is(error.message, 'Duplicate mount point: /x');
    assert.is(error.code, 'USAGE');
  }
});

test('mounts of flags: the same flag twice counts once', () => {
  assert.is(toOciMounts([v('/1:/x'), v('/1:/x')]).length, 1);
});

test('toFlagMount: a volume is a bind of the place that the store has for it, and makes no directory of the host', () => {
  const { mount, createSource, from } = toFlagMount(v('data:/d:ro,nodev'), '/lib/volumes/data/_data');
  assert.equal(mount, {
    destination: '/d',
    type: 'bind',
    source: '/lib/volumes/data/_data',
    options: ['rbind', 'rprivate', 'rro', 'nodev'],
  });
  assert.equal([createSource, from], [false, '--volume data:/d:ro,nodev']);
});

test('toFlagMount: an image is read-only, whatever is asked for', () => {
  assert.equal(toFlagMount(m('type=image,src=bb,dst=/d'), '/layer').mount.options, [
    'rbind',
    'rprivate',
    'rro',
  ]);
});

test('toFlagMount: ids are mapped by two lists, or as in the container', () => {
  const lists = toFlagMount(v('/s:/d:idmap=uids=0-1000-1#1-2000-9;gids=0-1000-1')).mount;
  assert.equal(lists.uidMappings, [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 2000, size: 9 },
  ]);
  assert.equal(lists.gidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.equal(toFlagMount(m('src=data,dst=/d,idmap')).mount.options, ['rbind', 'rprivate', 'idmap']);
});

test.run();
