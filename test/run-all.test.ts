// What the test runner believes of a file's output, and what it calls left behind.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readOutcome } from './run-all.ts';
import { compareSnapshots, takeSnapshot } from './support/leaks.ts';

const summary = (total: number, passed: number, skipped = 0) =>
  `\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1ms\n`;

test('a file whose tests pass has passed', () => {
  assert.equal(readOutcome(summary(3, 3), 0), { passed: 3, failed: 0, skipped: 0, problem: '' });
});

test('a test that says it was skipped did not pass', () => {
  const output = `skipped: cgroups: no v2 hierarchy\n${summary(3, 3, 1)}`;
  assert.equal(readOutcome(output, 0), { passed: 2, failed: 0, skipped: 2, problem: '' });
});

test('a failure counts whatever the exit code says', () => {
  assert.equal(readOutcome(summary(2, 0), 0), { passed: 0, failed: 2, skipped: 0, problem: '' });
});

test('a file that runs no test, or fails without a failing test, has failed', () => {
  assert.match(readOutcome('', 0).problem, /no test ran/);
  assert.match(readOutcome(summary(0, 0), 0).problem, /no test ran/);
  assert.match(readOutcome(summary(1, 1), 3).problem, /exit code 3/);
  assert.is(readOutcome(summary(1, 1), 3).failed, 1);
});

test('what comes and what goes is left behind', () => {
  const before = { mount: ['a', 'b'], file: [] };
  const after = { mount: ['b'], file: ['/tmp/tinyrun-test-x'] };
  assert.equal(compareSnapshots(before, after), ['mount gone: a', 'file left behind: /tmp/tinyrun-test-x']);
});

test('a snapshot sees the machine', () => {
  const snapshot = takeSnapshot();
  assert.ok(snapshot['mount']?.some((line) => line.includes(' / / ') || line.includes(' /proc ')));
  assert.match(snapshot['/dev/null']?.[0] ?? '', /^mode 20666, owner 0:0/);
});

test.run();
