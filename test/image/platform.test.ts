// Which image of an index is taken.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Descriptor, Platform } from '../../src/image/descriptor.ts';
import { choosePlatform, fits, hostPlatform, parsePlatform, showPlatform } from '../../src/image/platform.ts';

const VALID: Record<string, string> = {
  'linux/amd64': 'linux/amd64',
  'linux/arm64/v8': 'linux/arm64/v8',
  'Linux/x86_64': 'linux/amd64',
  aarch64: 'linux/arm64',
  linux: showPlatform(hostPlatform()),
  'windows/amd64': 'windows/amd64',
};

for (const [text, shown] of Object.entries(VALID))
  test(`parsePlatform: ${text}`, () => assert.is(showPlatform(parsePlatform(text)), shown));

for (const text of ['', 'a/b/c/d', 'linux/', '/amd64', 'linux/am d'])
  test(`parsePlatform: refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parsePlatform(text), /^invalid platform/));

test('fits: the one variant of arm64 may be left out', () => {
  const arm = (variant?: string): Platform => ({ os: 'linux', architecture: 'arm64', variant });
  assert.ok(fits(arm('v8'), arm()));
  assert.ok(fits(arm(), arm('v8')));
  assert.not.ok(fits(arm('v9'), arm('v8')));
  assert.not.ok(fits({ os: 'linux', architecture: 'arm' }, arm()));
});

const descriptor = (platform: Platform | undefined, annotations = {}): Descriptor => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${Bun.hash(JSON.stringify([platform, annotations]))
    .toString(16)
    .padStart(64, '0')}`,
  size: 1,
  platform,
  annotations,
});
const amd = descriptor({ os: 'linux', architecture: 'amd64' });
const arm = descriptor({ os: 'linux', architecture: 'arm64', variant: 'v8' });
const attestation = descriptor(
  { os: 'unknown', architecture: 'unknown' },
  { 'vnd.docker.reference.type': 'attestation-manifest' },
);

test('choosePlatform: the one that fits, never an attestation', () => {
  const list = [attestation, arm, amd];
  assert.is(choosePlatform(list, parsePlatform('linux/amd64'), 'X'), amd);
  assert.is(choosePlatform(list, parsePlatform('linux/arm64'), 'X'), arm);
  assert.is(
    choosePlatform([descriptor(undefined), attestation], parsePlatform('linux/amd64'), 'X').platform,
    undefined,
  );
});

test("choosePlatform: none is told in Docker's words, with those there are", () => {
  const choose = () => choosePlatform([amd, arm, attestation], parsePlatform('linux/s390x'), 'X');
  assert.throws(choose, /^X: no matching manifest for linux\/s390x in the manifest list entries$/);
  assert.throws(choose, (error: { hint: string }) => error.hint.includes('linux/amd64, linux/arm64/v8;'));
  assert.throws(
    () => choosePlatform([attestation], parsePlatform('linux/amd64'), 'X'),
    /no matching manifest/,
  );
});

test.run();
