// Lists of CPUs and memory nodes, and the calls that take them as masks.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isIdList, maskOfIds } from '../../src/oci/id-list.ts';
import { planCpuAffinity } from '../../src/plan/affinity.ts';
import { planMemoryPolicy } from '../../src/plan/memory-policy.ts';
import { minimalConfig, planInput, textsOf } from '../support/plan-input.ts';

test('isIdList: numbers and ranges, forwards, and nothing else', () => {
  for (const list of ['0', '0-3', '0-3,7', '7,0-3', '5-5', '8191', '00']) assert.ok(isIdList(list), list);
  for (const list of [
    '',
    ',',
    '0,',
    'a',
    '-1',
    '3-',
    '3-0',
    '0-3-5',
    '0 1',
    ' 0',
    '8192',
    '0-99999999',
    '1.5',
  ])
    assert.not.ok(isIdList(list), list);
});

test('maskOfIds: whole words of 64 bits, bit N for N', () => {
  const masks = ['', '0', '0-3,7', '63', '64', '0-127'].map((list) =>
    Buffer.from(maskOfIds(list)).toString('hex'),
  );
  assert.equal(masks, [
    '',
    '0100000000000000',
    '8f00000000000000',
    '0000000000000080',
    '00000000000000000100000000000000',
    'ffffffffffffffffffffffffffffffff',
  ]);
});

test('planMemoryPolicy: mode and flags in one, and one bit more than the mask has', () => {
  const rows: [{ mode: string; nodes?: string; flags?: string[] } | undefined, string[]][] = [
    [undefined, []],
    [{ mode: 'MPOL_DEFAULT' }, ['set_mempolicy(MPOL_DEFAULT, 0, 0)']],
    [{ mode: 'MPOL_PREFERRED', nodes: '' }, ['set_mempolicy(MPOL_PREFERRED, 0, 0)']],
    [
      { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_NUMA_BALANCING'] },
      ['set_mempolicy(MPOL_BIND|MPOL_F_STATIC_NODES|MPOL_F_NUMA_BALANCING, base64"AwAAAAAAAAA=", 65)'],
    ],
  ];
  for (const [memoryPolicy, expected] of rows) {
    const config = minimalConfig(({ linux }) => void Object.assign(linux!, memoryPolicy && { memoryPolicy }));
    assert.equal(textsOf(planMemoryPolicy(planInput({ config }))), expected);
  }
});

test('planCpuAffinity: the mask of the list, or nothing', () => {
  const from = '/process/execCPUAffinity/final';
  assert.equal(textsOf(planCpuAffinity('0,2', from)), ['sched_setaffinity(0, 8, base64"BQAAAAAAAAA=")']);
  assert.equal([...planCpuAffinity('', from), ...planCpuAffinity(undefined, from)], []);
});

test.run();
