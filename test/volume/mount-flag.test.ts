// What is no mount, and what is said of it, is in test/texts.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountFlag } from '../../src/volume/mount-flag.ts';
import { parseSize } from '../../src/volume/size.ts';

const CWD = '/home/me';

const BIND = 'type=bind,src=/s,dst=/d';
const bind = { type: 'bind', source: '/s', destination: '/d', readOnly: false, createSource: false };
const volume = { type: 'volume', destination: '/d', readOnly: false, createSource: true };
const tmpfs = { type: 'tmpfs', destination: '/d', readOnly: false, createSource: false };
const readOnly = { ...bind, readOnly: true };

const VALID: Record<string, object> = {
  'type=bind,source=/s,target=/d': bind,
  'type=bind,src=/s,dst=/d': bind,
  'TYPE=Bind,src=/s,destination=/d/': bind,
  ' type=bind,src=/s/,dst=/d ': bind,
  'type=bind,src=.,dst=/d': { ...bind, source: '/home/me' },
  'type=bind,src=../x,dst=/d': { ...bind, source: '/home/x' },
  'type=bind,src=/s,dst=/d,consistency=cached': bind,
  'type=bind,src=/s,dst=/d,readonly': readOnly,
  'type=bind,src=/s,dst=/d,ro': readOnly,
  'type=bind,src=/s,dst=/d,ro=1': readOnly,
  'type=bind,src=/s,dst=/d,readonly=true': readOnly,
  'type=bind,src=/s,dst=/d,readonly=false': bind,
  'type=bind,src=/s,dst=/d,ro=0': bind,
  'type=bind,src=/s,dst=/d,bind-propagation=RShared': { ...bind, propagation: 'rshared' },
  'type=bind,src=/s,dst=/d,bind-create-src': { ...bind, createSource: true },
  'type=bind,src=/s,dst=/d,bind-create-src=false': bind,
  'type=bind,src=/s,dst=/d,bind-recursive=enabled': bind,
  'type=bind,src=/s,dst=/d,bind-recursive=disabled': { ...bind, recursive: 'disabled' },
  'type=bind,src=/s,dst=/d,bind-recursive=writable,ro': { ...readOnly, recursive: 'writable' },
  'type=bind,src=/s,dst=/d,ro,bind-recursive=readonly,bind-propagation=rprivate': {
    ...readOnly,
    recursive: 'readonly',
    propagation: 'rprivate',
  },
  '"type=bind","src=/a,b","dst=/d ""x"""': { ...bind, source: '/a,b', destination: '/d "x"' },
  'source=data,target=/d': { ...volume, source: 'data' },
  'type=volume,target=/d': volume,
  'dst=/d,ro': { ...volume, readOnly: true },
  'src=data,dst=/d,volume-nocopy': { ...volume, source: 'data', volume: { nocopy: true } },
  'src=data,dst=/d,volume-nocopy=0': { ...volume, source: 'data', volume: { nocopy: false } },
  'src=data,dst=/d,volume-subpath=a/../b': { ...volume, source: 'data', volume: { subpath: 'a/../b' } },
  'dst=/d,volume-label=a=1,volume-label=b,volume-label=c=': {
    ...volume,
    volume: { labels: { a: '1', b: '', c: '' } },
  },
  'dst=/d,volume-driver=local,volume-opt=type=nfs,"volume-opt=o=addr=10.0.0.1,rw"': {
    ...volume,
    volume: { driver: 'local', driverOptions: { type: 'nfs', o: 'addr=10.0.0.1,rw' } },
  },
  'src=rex/ray,dst=/d,volume-driver=rexray': { ...volume, source: 'rex/ray', volume: { driver: 'rexray' } },
  'type=tmpfs,dst=/d': tmpfs,
  'type=tmpfs,dst=/d,tmpfs-size=1m,tmpfs-mode=0700': {
    ...tmpfs,
    tmpfs: { options: ['size=1048576', 'mode=700'] },
  },
  'type=tmpfs,dst=/d,tmpfs-size=1k,tmpfs-size=2k,ro': {
    ...tmpfs,
    readOnly: true,
    tmpfs: { options: ['size=2048'] },
  },
  'type=tmpfs,dst=/d,tmpfs-size=0': { ...tmpfs, tmpfs: { options: [] } },
  'type=image,src=busybox:1,dst=/d,image-subpath=bin': {
    type: 'image',
    source: 'busybox:1',
    destination: '/d',
    readOnly: false,
    createSource: false,
    image: { subpath: 'bin' },
  },
};

test('parseMountFlag: every key of Docker becomes data', () => {
  for (const [text, expected] of Object.entries(VALID)) {
    assert.equal(parseMountFlag(text, CWD), { ...expected, mode: '', flag: `--mount ${text}` }, text);
  }
});

test("parseMountFlag: Podman's idmap and U", () => {
  assert.is(parseMountFlag(`${BIND},bind-idmap`, CWD).idmap, 'container');
  assert.is(parseMountFlag(`${BIND},idmap=true`, CWD).idmap, 'container');
  assert.is(parseMountFlag(`${BIND},idmap=false`, CWD).idmap, undefined);
  assert.equal(parseMountFlag(`${BIND},idmap=uids=0-1-2;gids=3-4-5`, CWD).idmap, {
    uids: [{ containerID: 0, hostID: 1, size: 2 }],
    gids: [{ containerID: 3, hostID: 4, size: 5 }],
  });
  assert.is(parseMountFlag(`${BIND},U`, CWD).chown, true);
  assert.is(parseMountFlag(`${BIND},chown=0`, CWD).chown, undefined);
});

test('parseMountFlag: a label may have any name', () => {
  const labels = parseMountFlag('dst=/d,volume-label=__proto__=x', CWD).volume?.labels ?? {};
  assert.equal(Object.entries(labels), [['__proto__', 'x']]);
});

test('parseSize: units are binary and need no b', () => {
  const sizes: Record<string, number | undefined> = {
    '0': 0,
    '512': 512,
    '512b': 512,
    '1k': 1024,
    '64m': 64 * 1024 ** 2,
    '64MB': 64 * 1024 ** 2,
    '64 MiB': 64 * 1024 ** 2,
    '1.5g': 1.5 * 1024 ** 3,
    '2T': 2 * 1024 ** 4,
    '': undefined,
    m: undefined,
    '1x': undefined,
    '1  k': undefined,
    '1.': undefined,
    '0x10': undefined,
    '1bb': undefined,
    '99999999999p': undefined,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.is(parseSize(text), bytes, text);
});

test.run();
