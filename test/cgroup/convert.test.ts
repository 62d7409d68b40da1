import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cpuWeight, ioWeight, orMax, orMinusOne, swapOnly } from '../../src/cgroup/convert.ts';

test('shares are weights on a curve through minimum, default and maximum', () => {
  const rows: [shares: number | bigint, weight: number][] = [
    [1, 1],
    [2, 1],
    [3, 2],
    [100, 17],
    [512, 59],
    [1024, 100],
    [2048n, 174],
    [262144, 10000],
    [262145, 10000],
    [2n ** 63n, 10000],
  ];
  for (const [shares, weight] of rows) assert.is(cpuWeight(shares), weight, String(shares));
  for (let shares = 2; shares < 262144; shares += 997)
    assert.ok(cpuWeight(shares) <= cpuWeight(shares + 997), 'it never falls');
});

test('weights of block devices are stretched from 10..1000 to 1..10000', () => {
  for (const [weight, expected] of [
    [10, 1],
    [100, 910],
    [500, 4950],
    [1000, 10000],
  ] as const)
    assert.is(ioWeight(weight), expected);
});

test('no limit is a word on v2 and -1 on v1', () => {
  assert.equal([-1, -5, 0, 7, -1n, 2n ** 62n].map(orMax), ['max', 'max', '0', '7', 'max', `${2n ** 62n}`]);
  assert.equal([-1, -5, 0, 7].map(orMinusOne), ['-1', '-1', '0', '7']);
});

test('swap on v2 is without the memory', () => {
  const rows: [limit: number | bigint | undefined, swap: number | bigint | undefined, expected: unknown][] = [
    [100, 300, { value: '200' }],
    [100n, 100, { value: '0' }],
    [100, -1, { value: 'max' }],
    [undefined, -1, { value: 'max' }],
    [-1, 300, { value: '300' }],
    [-1, undefined, { value: 'max' }],
    [-1, 0, { value: 'max' }],
    [100, 0, undefined],
    [100, undefined, undefined],
    [undefined, undefined, undefined],
    [2n ** 60n, 2n ** 60n + 1n, { value: '1' }],
    [0, 300, { problem: 'a limit of memory and swap needs a memory limit' }],
    [undefined, 300, { problem: 'a limit of memory and swap needs a memory limit' }],
    [300, 100, { problem: 'the limit of memory and swap together is less than that of memory alone' }],
  ];
  for (const [limit, swap, expected] of rows)
    assert.equal(swapOnly(limit, swap), expected, `${limit} ${swap}`);
});

test.run();
