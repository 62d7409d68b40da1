// Configs of images come from strangers: what is taken and what is refused.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LARGEST_CONFIG, parseImageConfig } from '../../src/image/config.ts';

const BASE = {
  os: 'linux',
  architecture: 'amd64',
  rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] },
};
const parse = (value: object) =>
  parseImageConfig(new TextEncoder().encode(JSON.stringify(value)), 'config X');

test('parseImageConfig: what Docker and others write', () => {
  const config = parse({
    ...BASE,
    created: '2026-01-01T00:00:00Z',
    config: {
      User: '1000:1000',
      Env: ['PATH=/bin'],
      Cmd: 'sh',
      Entrypoint: null,
      Volumes: { '/data': {}, '/more': null },
      ExposedPorts: { '80/tcp': {} },
      Labels: { a: 'b' },
      StopTimeout: 5,
    },
    history: [{ created_by: 'COPY x', empty_layer: true }],
    'org.example.unknown': [1, 2],
  });
  assert.equal(config.config?.Cmd, ['sh']);
  assert.is(config.config?.Entrypoint, undefined);
  assert.equal(config.config?.Volumes, { '/data': {}, '/more': {} });
});

const INVALID: [change: object, message: RegExp][] = [
  [{ os: undefined }, /^config X: \/os: is missing$/],
  [{ rootfs: undefined }, /^config X: \/rootfs: is missing$/],
  [{ rootfs: { type: 'tar' } }, /^config X: \/rootfs\/type: "tar" is not one of layers$/],
  [
    { rootfs: { type: 'layers', diff_ids: ['sha256:../../x'] } },
    /\/rootfs\/diff_ids\/0: .* is no sha256 digest$/,
  ],
  [
    { rootfs: { type: 'layers', diff_ids: new Array(501).fill(`sha256:${'1'.repeat(64)}`) } },
    /has 501 layers, more than 500/,
  ],
  [{ config: { Env: ['A=\0'] } }, /\/config\/Env\/0: .* contains a NUL byte$/],
  [{ config: { Env: { A: 'b' } } }, /\/config\/Env: an object is not a list$/],
  [{ config: { Cmd: [1] } }, /\/config\/Cmd\/0: 1 is not a string$/],
  [{ config: { User: 0 } }, /\/config\/User: 0 is not a string$/],
  [{ config: { Volumes: ['/data'] } }, /\/config\/Volumes: a list is not an object$/],
  [{ config: { Volumes: { '': {} } } }, /\/config\/Volumes: "" is no name$/],
  [{ config: { Labels: { a: 1 } } }, /\/config\/Labels\/a: 1 is not a string$/],
  [{ config: { Env: new Array(10_001).fill('A=b') } }, /\/config\/Env: has 10001 entries, more than 10000$/],
  [{ history: new Array(10_001).fill({}) }, /\/history: has 10001 entries, more than 10000$/],
  [{ history: [1] }, /\/history\/0: 1 is not an object$/],
  [{ os: 1, architecture: 2 }, /\(and 1 more\)$/],
];

for (const [change, message] of INVALID)
  test(`parseImageConfig: refuses ${JSON.stringify(change).slice(0, 70)}`, () => {
    assert.throws(
      () => parse({ ...BASE, ...change }),
      (error: Error) => message.test(error.message),
    );
  });

test('parseImageConfig: refuses what is no JSON object, no UTF-8, or too large', () => {
  const refuses = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(
      () => parseImageConfig(bytes, 'config X'),
      (error: Error) => message.test(error.message),
    );
  refuses(new TextEncoder().encode('[]'), /must hold a JSON object/);
  refuses(new TextEncoder().encode('{"os":'), /the text ends too early/);
  refuses(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /is not UTF-8/);
  refuses(new Uint8Array(LARGEST_CONFIG + 1), /more than 4194304$/);
});

test.run();
