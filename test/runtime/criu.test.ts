// What is read out of criu's log.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lastError } from '../../src/runtime/criu.ts';

test('lastError: the last one, without time, pid and place', () => {
  const log =
    '(00.1) Error (criu/a.c:1): first\n(00.2)      7: Error (criu/b.c:22): mnt: last one\n(00.3) Warn (x): no\n';
  assert.is(lastError(log), 'mnt: last one');
});

test('lastError: that it has failed at all is said only where nothing else is', () => {
  const failed = '(00.3) Error (criu/cr-dump.c:2053): Dumping FAILED.\n';
  assert.is(lastError(`(00.1) Error (criu/a.c:1): reason\n${failed}`), 'reason');
  assert.is(lastError(failed), 'Dumping FAILED.');
});

test('lastError: none in a log without', () => {
  assert.is(lastError(''), undefined);
  assert.is(lastError('(00.1) Dumping finished successfully\n'), undefined);
});

test.run();
