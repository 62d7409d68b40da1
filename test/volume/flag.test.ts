import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { parseTmpfsFlag, parseVolumeFlag } from '../../src/volume/flag.ts';
import type { VolumeMount } from '../../src/volume/mount.ts';

const CWD = '/home/me';
const LONG_NAME =
  'includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ' +
  'If you intended to pass a host directory, use absolute path';

function errorOf(run: () => unknown, what = ''): TinyrunError {
  try {
    run();
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error(`nothing was thrown ${what}`);
}

const bind = (source: string, destination: string, more: Partial<VolumeMount> = {}) => ({
  type: 'bind',
  source,
  destination,
  readOnly: false,
  createSource: true,
  mode: '',
  ...more,
});
const volume = (source: string, destination: string, more: Partial<VolumeMount> = {}) => ({
  type: 'volume',
  source,
  destination,
  readOnly: false,
  createSource: true,
  mode: '',
  ...more,
});

const VALID: Record<string, object> = {
  '/srv:/data': bind('/srv', '/data'),
  '/srv:/data:ro': bind('/srv', '/data', { readOnly: true }),
  '/srv:/data:rw': bind('/srv', '/data'),
  '/rw:/ro': bind('/rw', '/ro'),
  '/with space:/and here': bind('/with space', '/and here'),
  '/srv/../etc//x/.:/a/./b/../c/': bind('/etc/x', '/a/c'),
  '/:/host': bind('/', '/host'),
  './src:/app': bind('/home/me/src', '/app'),
  '.:/app': bind('/home/me', '/app'),
  '../other:/app:ro': bind('/home/other', '/app', { readOnly: true }),
  '.hidden:/app': bind('/home/me/.hidden', '/app'),
  '/srv:/data:rshared': bind('/srv', '/data', { propagation: 'rshared' }),
  '/srv:/data:slave,Z,ro': bind('/srv', '/data', { readOnly: true, propagation: 'slave' }),
  '/srv:/data:ro,z,cached': bind('/srv', '/data', { readOnly: true }),
  '/srv:/data:bind': bind('/srv', '/data', { recursive: 'disabled' }),
  '/srv:/data:rbind,nodev,noexec,nosuid': bind('/srv', '/data', {
    attributes: ['nodev', 'noexec', 'nosuid'],
  }),
  'data:/d': volume('data', '/d'),
  'data:/d:ro': volume('data', '/d', { readOnly: true }),
  'data.1_x-2:/d:nocopy': volume('data.1_x-2', '/d', { volume: { nocopy: true } }),
  'data:/d:z': volume('data', '/d'),
  'a:/d': volume('a', '/d'),
  'data:/d:ro,nodev': volume('data', '/d', { readOnly: true, attributes: ['nodev'] }),
  'data:/d:copy,nocreate': volume('data', '/d', { createSource: false }),
  'data:/d:U': volume('data', '/d', { chown: true }),
  '/srv:/d:O': bind('/srv', '/d', { overlay: {} }),
  '/srv:/d:O,upperdir=/u/../up,workdir=/w': bind('/srv', '/d', { overlay: { upper: '/up', work: '/w' } }),
  '/srv:/d:idmap': bind('/srv', '/d', { idmap: 'container' }),
  '/srv:/d:nocreate': bind('/srv', '/d', { createSource: false }),
  '/anonymous': { type: 'volume', destination: '/anonymous', readOnly: false, createSource: true },
};

test('parseVolumeFlag: sources, destinations and options become a mount', () => {
  for (const [text, expected] of Object.entries(VALID)) {
    const mode = text.split(':')[2] ?? '';
    assert.equal(parseVolumeFlag(text, CWD), { ...expected, mode, flag: `--volume ${text}` }, text);
  }
});

const notAbsolute = (type: string, path: string) =>
  `invalid mount config for type "${type}": invalid mount path: '${path}' mount path must be absolute`;

const INVALID: Record<string, string> = {
  '': 'invalid empty volume spec',
  ':': "invalid volume specification: ':'",
  '::': "invalid volume specification: '::'",
  'a:': "invalid volume specification: 'a:'",
  ':::': 'invalid spec: :::: empty section between colons',
  ':/data': 'invalid spec: :/data: empty section between colons',
  '/data:': 'invalid spec: /data:: empty section between colons',
  '/srv::ro': 'invalid spec: /srv::ro: empty section between colons',
  '/srv:/data:': 'invalid spec: /srv:/data:: empty section between colons',
  '/srv:/data:ro:x': 'invalid spec: /srv:/data:ro:x: too many colons',
  '/data:ro': "invalid volume specification: '/data:ro'",
  '/data:ro,z': "invalid volume specification: '/data:ro,z'",
  'data:rw': "invalid volume specification: 'data:rw'",
  '/data:shared': "invalid volume specification: '/data:shared'",
  '/srv:/data:sw': 'invalid mode: sw',
  '/srv:/data:ro,': 'invalid mode: ro,',
  '/srv:/data:ro,rw': 'invalid mode: ro,rw',
  '/srv:/data:z,Z': 'invalid mode: z,Z',
  '/srv:/data:ro,rshared,rslave': 'invalid mode: ro,rshared,rslave',
  '/srv:/data:constructor': 'invalid mode: constructor',
  '/srv:data': `invalid volume specification: '/srv:data': ${notAbsolute('bind', 'data')}`,
  './srv:data': `invalid volume specification: '/home/me/srv:data': ${notAbsolute('bind', 'data')}`,
  'vol:data': `invalid volume specification: 'vol:data': ${notAbsolute('volume', 'data')}`,
  data: `invalid volume specification: 'data': ${notAbsolute('volume', 'data')}`,
  './x': `invalid volume specification: './x': ${notAbsolute('volume', './x')}`,
  '/srv:/': `invalid volume specification: '/srv:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
  '/srv:/a/..': `invalid volume specification: '/srv:/a/..': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
  'data:/d:shared': `invalid volume specification: 'data:/d:shared': invalid mount config for type "volume": field BindOptions must not be specified`,
  '/srv:/d:O,O': 'invalid mode: O,O',
  '/srv:/d:upperdir=/u,O': 'invalid mode: upperdir=/u,O: upperdir and workdir go together: give both',
  '/srv:/d:upperdir=/u,workdir=/w':
    'invalid mode: upperdir=/u,workdir=/w: upperdir and workdir are of an overlay: give O, too',
  '/srv:/d:O,upperdir=u,workdir=/w':
    'invalid mode: O,upperdir=u,workdir=/w: upperdir and workdir must be absolute paths',
  '/srv:/d:idmap=uids=0-1-2': 'invalid idmap: "uids=0-1-2"',
  '/srv:/d:idmap=uids=0-1-0;gids=0-1-1': 'invalid idmap: "uids=0-1-0;gids=0-1-1"',
  '/srv:/d:idmap=uids=0-1-1;gids=0-4294967295-1': 'invalid idmap: "uids=0-1-1;gids=0-4294967295-1"',
  '/srv:/d:nocopy': `invalid volume specification: '/srv:/d:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
  'rel/x:/d': `create rel/x: "rel/x" ${LONG_NAME}`,
  '~/x:/d': `create ~/x: "~/x" ${LONG_NAME}`,
  '-x:/d': `create -x: "-x" ${LONG_NAME}`,
};

test("parseVolumeFlag: what is wrong is said in Docker's words", () => {
  for (const [text, expected] of Object.entries(INVALID)) {
    const error = errorOf(() => parseVolumeFlag(text, CWD), text);
    assert.is(error.message, expected, text);
    assert.is(error.code, 'USAGE', text);
  }
});

test('parseTmpfsFlag: a destination and any mount options', () => {
  const tmpfs = (destination: string, readOnly = false, options?: string[]) => ({
    type: 'tmpfs',
    destination,
    readOnly,
    createSource: false,
    mode: '',
    ...(options && { tmpfs: { options } }),
  });
  const valid: Record<string, object> = {
    '/run': tmpfs('/run'),
    '/run:': tmpfs('/run'),
    '/run/../x/': tmpfs('/x'),
    '/run:size=64m,mode=1770': tmpfs('/run', false, ['size=64m', 'mode=1770']),
    '/run:ro,noatime': tmpfs('/run', true, ['ro', 'noatime']),
    '/run:ro,rw': tmpfs('/run', false, ['ro', 'rw']),
    '/run:exec,suid,dev,rshared': tmpfs('/run', false, ['exec', 'suid', 'dev', 'rshared']),
    '/run:size=50%,uid=7,gid=8,nr_inodes=1k,mpol=local': tmpfs('/run', false, [
      'size=50%',
      'uid=7',
      'gid=8',
      'nr_inodes=1k',
      'mpol=local',
    ]),
  };
  for (const [text, expected] of Object.entries(valid)) {
    assert.equal(parseTmpfsFlag(text), { ...expected, flag: `--tmpfs ${text}` }, text);
  }
});

test("parseTmpfsFlag: what is wrong is said in Docker's words", () => {
  const invalid: Record<string, string> = {
    '': "invalid mount path: '' mount path must be absolute",
    ':size=1m': "invalid mount path: '' mount path must be absolute",
    'run:size=1m': "invalid mount path: 'run' mount path must be absolute",
    '/': "invalid specification: destination can't be '/'",
    '/..:ro': "invalid specification: destination can't be '/'",
    '/run:bogus': 'invalid tmpfs option "bogus"',
    '/run:bogus=1': 'invalid tmpfs option "bogus"',
    '/run:size': 'invalid tmpfs option "size"',
    '/run:ro,': 'invalid tmpfs option ""',
    '/run:bind': 'invalid tmpfs option "bind"',
    '/run:remount': 'invalid tmpfs option "remount"',
    '/run:a:b': 'invalid tmpfs option "a:b"',
  };
  for (const [text, expected] of Object.entries(invalid)) {
    assert.is(errorOf(() => parseTmpfsFlag(text)).message, expected, text);
  }
});

test.run();
