import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { parseTmpfsFlag, parseVolumeFlag } from '../../src/volume/flag.ts';
import { parseMountFlag } from '../../src/volume/mount-flag.ts';
import { toOciMounts } from '../../src/volume/oci-mounts.ts';

const v = (text: string) => parseVolumeFlag(text, '/cwd');
const m = (text: string) => parseMountFlag(text, '/cwd');
const t = parseTmpfsFlag;

function errorOf(run: () => unknown): TinyrunError {
  try {
    run();
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('toOciMounts: a bind has its source, whether to make it, and the flag it comes from', () => {
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

test('toOciMounts: parents come before children, others stay in the order given', () => {
  const mounts = toOciMounts([v('/1:/a/b/c'), t('/z'), v('/2:/a'), m('type=bind,src=/3,dst=/b/c')]);
  assert.equal(
    mounts.map(({ mount }) => mount.destination),
    ['/z', '/a', '/b/c', '/a/b/c'],
  );
});

test('toOciMounts: a destination may be given once, by whichever flag and spelling', () => {
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

test('toOciMounts: the same flag twice counts once', () => {
  assert.is(toOciMounts([v('/1:/x'), v('/1:/x')]).length, 1);
});

test('toOciMounts: volumes and images are refused until there is a store', () => {
  const rows: [ReturnType<typeof v>, string][] = [
    [v('data:/d'), 'mount volume data at /d: this version of tinyrun has no volume store'],
    [v('/d'), 'mount an anonymous volume at /d: this version of tinyrun has no volume store'],
    [m('type=image,src=bb,dst=/d'), 'mount image bb at /d: this version of tinyrun has no image store'],
  ];
  for (const [mount, message] of rows) {
    const error = errorOf(() => toOciMounts([mount]));
    assert.is(error.message, message);
    assert.is(error.code, 'UNSUPPORTED');
    assert.match(error.hint ?? '', '--volume /srv/');
  }
});

test.run();
