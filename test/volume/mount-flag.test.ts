import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { parseMountFlag } from '../../src/volume/mount-flag.ts';
import { parseSize } from '../../src/volume/size.ts';

const CWD = '/home/me';

function errorOf(run: () => unknown): TinyrunError {
  try {
    run();
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

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

const config = (type: string, problem: string) => `invalid mount config for type "${type}": ${problem}`;
const BIND = 'type=bind,src=/s,dst=/d';

const INVALID: Record<string, string> = {
  '': 'value is empty',
  '  ': 'value is empty',
  'type=volume,bogus': "invalid field 'bogus' must be a key=value pair",
  'type=bind,': "invalid field '' must be a key=value pair",
  'src,dst=/d': "invalid field 'src' must be a key=value pair",
  'type=volume,bogus=foo': "unknown option 'bogus' in 'bogus=foo'",
  'type=bind,toString=1': "unknown option 'tostring' in 'toString=1'",
  '=x': "unknown option '' in '=x'",
  'type=bind, src=/s': "invalid option 'src' in ' src=/s': option should not have whitespace",
  'type=bind,src =/s': "invalid option 'src' in 'src =/s': option should not have whitespace",
  'type=bind,src= /s': "invalid value for 'src' in 'src= /s': value should not have whitespace",
  'type=bind,src=': "invalid value for 'src': value is empty",
  'type=bind,src=\t,dst=/d': "invalid value for 'src': value is empty",
  'type=bind,ro=no': `invalid value for 'ro': invalid boolean value ("no"): must be one of "true", "1", "false", or "0" (default "true")`,
  'type=bind,ro=True': `invalid value for 'ro': invalid boolean value ("True"): must be one of "true", "1", "false", or "0" (default "true")`,
  'type=bind,src=a"b': 'parse error on line 1, column 16: bare " in non-quoted field',
  'type=bind,"src=/a': 'parse error on line 1, column 18: extraneous or missing " in quoted-field',
  '"type=bind"x,dst=/d': 'parse error on line 1, column 11: extraneous or missing " in quoted-field',
  [`${BIND},bind-nonrecursive`]: 'bind-nonrecursive is deprecated, use bind-recursive=disabled instead',
  [`${BIND},bind-nonrecursive=true`]: 'bind-nonrecursive is deprecated, use bind-recursive=disabled instead',
  [`${BIND},bind-recursive=yes`]:
    'invalid value for bind-recursive: yes (must be "enabled", "disabled", "writable", or "readonly")',
  [`${BIND},bind-recursive=writable`]:
    "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction",
  [`${BIND},bind-recursive=readonly`]:
    "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction",
  [`${BIND},bind-recursive=readonly,ro`]:
    "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
  [`${BIND},bind-propagation=loud`]: config('bind', 'invalid propagation mode: loud'),
  [`${BIND},volume-nocopy`]: "cannot mix 'volume-*' options with mount type 'bind'",
  [`${BIND},tmpfs-size=1m`]: "cannot mix 'tmpfs-*' options with mount type 'bind'",
  [`${BIND},image-subpath=a`]: "cannot mix 'image-*' options with mount type 'bind'",
  'src=data,dst=/d,bind-propagation=shared': "cannot mix 'bind-*' options with mount type 'volume'",
  'type=bind,dst=/d': config('bind', 'field Source must not be empty'),
  'type=bind,src=/s': config('bind', 'field Target must not be empty'),
  'type=tmpfs': config('tmpfs', 'field Target must not be empty'),
  'type=bind,src=s,dst=/d': config('bind', "invalid mount path: 's' mount path must be absolute"),
  'type=bind,src=/s,dst=d': config('bind', "invalid mount path: 'd' mount path must be absolute"),
  'type=bind,src=/s,dst=/': config('bind', "invalid specification: destination can't be '/'"),
  'type=tmpfs,src=/s,dst=/d': config('tmpfs', 'field Source must not be specified'),
  'type=image,dst=/d': config('image', 'field Source must not be empty'),
  'type=image,src=bb,dst=/d,image-subpath=../x': config(
    'image',
    'subpath must be a relative path within the volume',
  ),
  'type=npipe,src=/s,dst=/d': config('npipe', 'mount type unknown'),
  'dst=/d,volume-subpath=a': config('volume', 'must not set Subpath when using anonymous volumes'),
  'src=data,dst=/d,volume-subpath=a/../../b': config(
    'volume',
    'subpath must be a relative path within the volume',
  ),
  'src=data,dst=/d,volume-label==x': "invalid value for 'volume-label': no name before '=' in '=x'",
  'src=/abs,dst=/d':
    'create /abs: "/abs" includes invalid characters for a local volume name, only ' +
    '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  'type=tmpfs,dst=/d,tmpfs-size=foo': 'invalid value for tmpfs-size: foo',
  'type=tmpfs,dst=/d,tmpfs-size=-1': 'invalid value for tmpfs-size: -1',
  'type=tmpfs,dst=/d,tmpfs-mode=foo': 'invalid value for tmpfs-mode: foo',
  'type=tmpfs,dst=/d,tmpfs-mode=0o700': 'invalid value for tmpfs-mode: 0o700',
  'type=tmpfs,dst=/d,tmpfs-mode=999': 'invalid value for tmpfs-mode: 999',
  'type=tmpfs,dst=/d,tmpfs-mode=77777777777777': 'invalid value for tmpfs-mode: 77777777777777',
};

test("parseMountFlag: what is wrong is said in Docker's words", () => {
  for (const [text, expected] of Object.entries(INVALID)) {
    const error = errorOf(() => parseMountFlag(text, CWD));
    assert.is(error.message, expected, text);
    assert.is(error.code, 'USAGE', text);
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
  assert.is(errorOf(() => parseMountFlag(`${BIND},idmap=x`, CWD)).message, 'invalid idmap: "x"');
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
