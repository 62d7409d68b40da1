// A container in a scope of systemd: the placeholder that holds it, and who lets that go.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planPlaceholder } from '../../src/plan/scope.ts';
import { checkProgram } from '../../src/program/check.ts';
import { type Change, minimalConfig, OWN_CGROUP_V1, OWN_CGROUP_V2, stepsOf } from '../support/plan-input.ts';

const inScope = (base: Change, limit?: number): Change => ({
  ...base,
  cgroup: { ...base.cgroup!, scope: { unit: 'runc-c1.scope', holder: 33 } },
  config: minimalConfig((config) => {
    if (limit !== undefined) config.linux!.resources = { pids: { limit } };
  }),
});

test('the placeholder is a right program', () => {
  assert.equal(checkProgram(planPlaceholder()), []);
});

test('both programs let the placeholder go: the host program behind clone3, init when it is in the scope', () => {
  for (const base of [OWN_CGROUP_V1, OWN_CGROUP_V2]) {
    const steps = stepsOf(inScope(base));
    const texts = steps.map(({ text }) => text);
    const closes = texts.flatMap((text, i) => (text === 'close(33)' ? [i] : []));
    const clone = steps.findIndex(({ op }) => op.call === 'clone3');
    assert.is(closes.length, 2);
    assert.ok(closes.every((at) => at > clone));
    const joined = texts.lastIndexOf('write($file, "0", 1)');
    assert.ok(closes.some((at) => at > joined));
  }
});

test('a limit that the placeholder would be over is written when it is to go', () => {
  for (const [limit, late] of [
    [1, true],
    [2, false],
  ] as const) {
    const steps = stepsOf(inScope(OWN_CGROUP_V2, limit));
    const written = steps.findIndex(({ text }) => text === `write($file, "${limit}", 1)`);
    const clone = steps.findIndex(({ op }) => op.call === 'clone3');
    assert.ok(written > 0);
    assert.is(written > clone, late);
  }
});

test.run();
