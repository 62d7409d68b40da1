// Names of images, as Docker reads them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseReference, tryReference } from '../../src/image/reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** text -> repository, tag, digest, familiar form */
const VALID: Record<string, [string, string | undefined, string | undefined, string]> = {
  bb: ['docker.io/library/bb', 'latest', undefined, 'bb:latest'],
  'bb:1.36': ['docker.io/library/bb', '1.36', undefined, 'bb:1.36'],
  'library/bb': ['docker.io/library/bb', 'latest', undefined, 'bb:latest'],
  'team/bb:v1': ['docker.io/team/bb', 'v1', undefined, 'team/bb:v1'],
  'docker.io/bb': ['docker.io/library/bb', 'latest', undefined, 'bb:latest'],
  'index.docker.io/team/bb': ['docker.io/team/bb', 'latest', undefined, 'team/bb:latest'],
  'docker.io/library/a/b': ['docker.io/library/a/b', 'latest', undefined, 'library/a/b:latest'],
  'quay.io/team/bb': ['quay.io/team/bb', 'latest', undefined, 'quay.io/team/bb:latest'],
  'localhost/bb': ['localhost/bb', 'latest', undefined, 'localhost/bb:latest'],
  'localhost:5000/bb:2': ['localhost:5000/bb', '2', undefined, 'localhost:5000/bb:2'],
  'Host/bb': ['Host/bb', 'latest', undefined, 'Host/bb:latest'],
  '[2001:db8::1]:5000/bb': ['[2001:db8::1]:5000/bb', 'latest', undefined, '[2001:db8::1]:5000/bb:latest'],
  'a__b-c/e--f.g': ['docker.io/a__b-c/e--f.g', 'latest', undefined, 'a__b-c/e--f.g:latest'],
  [`bb@${DIGEST}`]: ['docker.io/library/bb', undefined, DIGEST, `bb@${DIGEST}`],
  [`bb:1@${DIGEST}`]: ['docker.io/library/bb', '1', DIGEST, `bb:1@${DIGEST}`],
  [`bb:${'t'.repeat(128)}`]: ['docker.io/library/bb', 't'.repeat(128), undefined, `bb:${'t'.repeat(128)}`],
};

const INVALID: Record<string, RegExp> = {
  '': /^invalid reference format: "/,
  Bb: /^invalid reference format: repository name \(library\/Bb\) must be lowercase$/,
  'Ubuntu:14.04': /^invalid reference format: repository name \(library\/Ubuntu\) must be lowercase$/,
  'team/Bb:1': /^invalid reference format: repository name \(team\/Bb\) must be lowercase$/,
  'bb:': /^invalid reference format: "/,
  ':1': /^invalid reference format: "/,
  'bb:a b': /^invalid reference format: "/,
  'bb:-a': /^invalid reference format: "/,
  [`bb:${'t'.repeat(129)}`]: /^invalid reference format: "/,
  'a..b': /^invalid reference format: "/,
  '-bb': /^invalid reference format: "/,
  'bb/': /^invalid reference format: "/,
  '/bb': /^invalid reference format: "/,
  'a//b': /^invalid reference format: "/,
  '../bb': /^invalid reference format: "/,
  'bb\n': /^invalid reference format: "/,
  'bb@sha256:abc': /^invalid reference format: "/,
  [`bb@md5:${'0'.repeat(32)}`]: /^unsupported digest algorithm$/,
  'bb@': /^invalid reference format: "/,
  ['ab'.repeat(32)]: /cannot specify 64-byte hexadecimal strings$/,
  ['a'.repeat(260)]: /^repository name must not be more than 255 characters$/,
  ['a'.repeat(100_000)]: /^invalid reference format: it has more than/,
};

for (const [text, [repository, tag, digest, familiar]] of Object.entries(VALID)) {
  test(`parseReference: ${text.slice(0, 60)}`, () => {
    const parsed = parseReference(text);
    assert.equal(
      [parsed.repository, parsed.tag, parsed.digest, parsed.familiar],
      [repository, tag, digest, familiar],
    );
    assert.equal(parseReference(parsed.familiar), parsed, 'its familiar form means the same');
  });
}

for (const [text, message] of Object.entries(INVALID)) {
  test(`parseReference: refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    assert.throws(
      () => parseReference(text),
      (error: Error) => message.test(error.message),
    );
    assert.is(tryReference(text), undefined);
  });
}

test.run();
