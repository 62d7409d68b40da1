// What an update changes, what it leaves, and what the resources are afterwards.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { merged, usageProblem, withCurrent, withoutZeros } from '../../src/runtime/cgroup/changes.ts';

test('withoutZeros: leaves what is to be changed', () => {
  assert.equal(
    withoutZeros({
      devices: [{ allow: true }],
      memory: { limit: 0, swap: -1, kernel: 5, kernelTCP: 5 },
      cpu: { shares: 0, cpus: '', idle: 0, quota: 2n ** 60n },
      pids: { limit: 0 },
      blockIO: { weight: 0 },
      hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    }),
    {
      memory: { swap: -1 },
      cpu: { idle: 0, quota: 2n ** 60n },
      hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    },
  );
});

test('withCurrent: a period keeps the quota, and swap is what it leaves beside the limit', () => {
  const files: Record<string, string> = { 'cpu.max': '50000 100000\n', 'memory.max': '1000\n' };
  const read = (file: string) => files[file];
  assert.equal(withCurrent({ cpu: { period: 20000 } }, read), { cpu: { period: 20000, quota: 50000 } });
  assert.equal(withCurrent({ cpu: { period: 20000, quota: 1 } }, read), { cpu: { period: 20000, quota: 1 } });
  assert.equal(withCurrent({ memory: { swap: 3000 } }, read), { memory: { swap: 3000, limit: 1000 } });
  files['cpu.max'] = 'max 100000\n';
  files['memory.max'] = 'max\n';
  assert.equal(withCurrent({ cpu: { period: 20000 } }, read), { cpu: { period: 20000 } });
  assert.equal(withCurrent({ memory: { swap: 3000 } }, read), { memory: { swap: 3000, limit: -1 } });
});

test('merged: what is not changed stays', () => {
  const before = { memory: { limit: 5, swap: 10 }, cpu: { shares: 2 }, unified: { a: '1' } };
  assert.equal(merged(before, { memory: { limit: 6 }, pids: { limit: 3 }, unified: { b: '2' } }), {
    memory: { limit: 6, swap: 10 },
    cpu: { shares: 2 },
    pids: { limit: 3 },
    unified: { a: '1', b: '2' },
  });
  assert.equal(merged(before, { memory: { limit: -1 } }).memory, { limit: -1, swap: -1 });
});

test('usageProblem: only checkBeforeUpdate makes a limit below the usage an error', () => {
  assert.is(usageProblem({ limit: 5 }, 6), undefined);
  assert.is(usageProblem({ limit: 5, checkBeforeUpdate: true }, 5), undefined);
  assert.is(usageProblem({ limit: -1, checkBeforeUpdate: true }, 5), undefined);
  assert.is(usageProblem({ limit: 5, checkBeforeUpdate: true }, 6), 'rejecting memory limit 5 < usage 6');
});

test.run();
