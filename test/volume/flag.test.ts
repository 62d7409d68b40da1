// What is no mount, and what is said of it, is in test/texts.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTmpfsFlag, parseVolumeFlag } from '../../src/volume/flag.ts';
import type { VolumeMount } from '../../src/volume/mount.ts';

const CWD = '/home/me';
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

test('parseVolumeFlag: a relative source is named by where it is', () => {
  const config = 'invalid mount config for type "bind": invalid mount path';
  assert.throws(
    () => parseVolumeFlag('./srv:data', CWD),
    `invalid volume specification: '/home/me/srv:data': ${config}: 'data' mount path must be absolute`,
  );
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

test.run();
