// Indexes, manifests and manifest.json come from strangers: what is taken and what is refused.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDockerManifests, parseIndex, parseManifest } from '../../src/image/descriptor.ts';

const OCI = 'application/vnd.oci.image.';
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const digest = `sha256:${'a'.repeat(64)}`;
const blob = (mediaType: string, change = {}) => ({ mediaType, digest, size: 1, ...change });
const config = blob(`${OCI}config.v1+json`);
const layer = blob(`${OCI}layer.v1.tar+gzip`);
const MANIFEST = { schemaVersion: 2, config, layers: [layer] };
const INDEX = { schemaVersion: 2, manifests: [blob(`${OCI}manifest.v1+json`)] };

test('parseManifest: OCI and Docker, each compression', () => {
  for (const mediaType of [
    `${OCI}layer.v1.tar`,
    `${OCI}layer.v1.tar+zstd`,
    'application/vnd.docker.image.rootfs.diff.tar.gzip',
    'application/vnd.docker.image.rootfs.diff.tar',
  ]) {
    const parsed = parseManifest(bytes({ ...MANIFEST, layers: [blob(mediaType)] }), 'X');
    assert.is(parsed.layers[0]?.digest, digest);
  }
});

const BAD_MANIFESTS: [change: object, message: RegExp][] = [
  [{ schemaVersion: 1 }, /^X: schema version 1 is not supported, only 2$/],
  [{ mediaType: 'application/x' }, /^X: media type "application\/x" is not supported here$/],
  [{ manifests: [] }, /^X: it is a manifest and an index at once$/],
  [{ config: undefined }, /^X: \/config: is missing$/],
  [{ layers: undefined }, /^X: \/layers: is missing$/],
  [
    { config: blob('application/vnd.oci.empty.v1+json') },
    /^X: it is no image: its config is of media type "application\/vnd\.oci\.empty/,
  ],
  [
    { layers: [blob('application/x')] },
    /layer sha256:a+ has the media type "application\/x", which is not supported$/,
  ],
  [{ layers: [blob(`${OCI}layer.nondistributable.v1.tar+gzip`)] }, /is foreign/],
  [{ layers: [blob('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')] }, /is foreign/],
  [{ layers: [{ ...layer, digest: 'sha256:../../../etc/passwd' }] }, /is no sha256 digest$/],
  [{ layers: [{ ...layer, digest: `sha512:${'a'.repeat(128)}` }] }, /is no sha256 digest$/],
  [{ layers: [{ ...layer, size: -1 }] }, /-1 is not a 64-bit unsigned integer$/],
  [{ layers: [{ ...layer, size: '1' }] }, /"1" is not a 64-bit unsigned integer$/],
  [{ layers: [7] }, /7 is not an object$/],
  [{ layers: new Array(501).fill(layer) }, /it has 501 layers, more than 500$/],
];

for (const [change, message] of BAD_MANIFESTS)
  test(`parseManifest: refuses ${JSON.stringify(change).slice(0, 80)}`, () =>
    assert.throws(
      () => parseManifest(bytes({ ...MANIFEST, ...change }), 'X'),
      (error: Error) => message.test(error.message),
    ));

test('parseIndex: refuses what is a manifest as well (CVE-2021-41190), and too many', () => {
  assert.is(parseIndex(bytes(INDEX), 'X').length, 1);
  const refuses = (change: object, message: RegExp) =>
    assert.throws(() => parseIndex(bytes({ ...INDEX, ...change }), 'X'), message);
  refuses({ layers: [] }, /^X: it is an index and a manifest at once$/);
  refuses({ config }, /^X: it is an index and a manifest at once$/);
  refuses({ manifests: undefined }, /^X: \/manifests: is missing$/);
  refuses({ manifests: new Array(1001).fill(config) }, /it has 1001 manifests, more than 1000$/);
});

test('parseDockerManifests: what docker save writes', () => {
  const list = [
    { Config: 'a.json', RepoTags: ['bb:latest'], Layers: ['a/layer.tar'] },
    { Config: 'b.json', RepoTags: null, Layers: null },
  ];
  assert.equal(parseDockerManifests(bytes(list)), [
    { config: 'a.json', layers: ['a/layer.tar'], names: ['bb:latest'] },
    { config: 'b.json', layers: [], names: [] },
  ]);
});

test('parseDockerManifests: another file of that name is none', () => {
  for (const value of [{}, [], [1], [{ name: 'a web app' }], 'x'])
    assert.is(parseDockerManifests(bytes(value)), undefined);
  assert.is(parseDockerManifests(new TextEncoder().encode('{')), undefined);
});

test('parseDockerManifests: refuses wrong types', () => {
  assert.throws(() => parseDockerManifests(bytes([{ Config: 1, Layers: [] }])), /Config: 1 is not a string$/);
  assert.throws(
    () => parseDockerManifests(bytes([{ Config: 'a', Layers: [1] }])),
    /Layers\/0: 1 is not a string$/,
  );
  assert.throws(
    () => parseDockerManifests(bytes([{ Config: 'a', Layers: new Array(501).fill('b') }])),
    /501 layers/,
  );
});

test.run();
