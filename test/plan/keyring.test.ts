import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { errno, stepsOf } from '../support/plan-input.ts';

const keyctls = (...how: Parameters<typeof stepsOf>): string[] =>
  stepsOf(...how).flatMap(({ op, process, text }) => (op.call === 'keyctl' ? [`${process} ${text}`] : []));

test('init joins a session keyring of its own, unless it is to keep the one it has', () => {
  assert.equal(keyctls(), [
    '1 $keyring = keyctl(KEYCTL_JOIN_SESSION_KEYRING, "_ses.c1")  goto ENOSYS -> no-keyring',
    '1 keyctl(KEYCTL_SETPERM, $keyring, 1058734080)',
  ]);
  assert.equal(keyctls({ noNewKeyring: true }), []);
});

test('a kernel without keys has nothing to keep from the container', () => {
  const calls = keyctls({}, ({ op }) => (op.call === 'keyctl' ? errno('ENOSYS') : undefined));
  assert.is(calls.length, 1);
});

test.run();
