// Limits of memory and swap, as Docker's flags say them, and what becomes of them on either kind of cgroups.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resourceWrites } from '../../src/cgroup/resources.ts';
import { parseCold } from '../../src/cli/cold.ts';
import { toLimits } from '../../src/cli/limit-options.ts';
import { toOciConfig } from '../../src/container/oci-config.ts';
import { TinyrunError } from '../../src/errors.ts';
import { factsOf, recordOf } from '../support/record.ts';

/** Of a host that counts swap and has cgroup v1, unless it is said otherwise. */
const limitsOf = (flags: string, host: { countsSwap?: boolean; isUnified?: boolean } = {}) =>
  toLimits(parseCold(['create', ...flags.split(' '), 'an/image'])!, {
    countsSwap: () => host.countsSwap ?? true,
    isUnified: () => host.isUnified ?? false,
  });

const MEGABYTE = 1 << 20;

test('memory alone: as much swap again, if the host counts swap; more by flags', () => {
  const rows: [flags: string, countsSwap: boolean, swap: number][] = [
    ['--memory 64m', true, 128 * MEGABYTE],
    ['--memory 64m --memory-swap 0', true, 128 * MEGABYTE],
    ['--memory 64m', false, -1],
    ['--memory 64m --memory-swap 64m', true, 64 * MEGABYTE],
    ['--memory 64m --memory-swap -1', true, -1],
    ['--memory-reservation 64m', true, 0],
  ];
  for (const [flags, countsSwap, swap] of rows)
    assert.is(limitsOf(flags, { countsSwap }).MemorySwap, swap, `${flags}, ${countsSwap}`);
});

test('the files that are written, on cgroup v1 and on v2', () => {
  const record = recordOf(limitsOf('--memory 64m --memory-reservation 32m'));
  const { linux } = toOciConfig(record, factsOf(record));
  const written = (controllers: string): string[] =>
    resourceWrites(linux!.resources!, [{ controllers }], ['memory']).map(
      ({ file, value }) => `${file} ${value}`,
    );
  assert.equal(written('memory'), [
    'memory.limit_in_bytes 67108864',
    'memory.memsw.limit_in_bytes 134217728',
    'memory.soft_limit_in_bytes 33554432',
  ]);
  assert.equal(written(''), ['memory.max 67108864', 'memory.swap.max 67108864', 'memory.low 33554432']);
});

test('--memory-swappiness: 0 to 100, on cgroup v1 alone; -1 is as if it were not given', () => {
  const of = (value: string, isUnified = false): number | null =>
    limitsOf(`--memory-swappiness ${value}`, { isUnified }).MemorySwappiness;
  assert.equal([of('0'), of('100'), of('-1'), of('-1', true)], [0, 100, null, null]);
  const refused: [value: string, isUnified: boolean, message: RegExp][] = [
    ['101', false, /^invalid value: 101\. Valid memory swappiness range is 0-100$/],
    ['-2', false, /^invalid value: -2/],
    ['50', true, /^--memory-swappiness: cgroup v2 has no such thing$/],
  ];
  for (const [value, isUnified, message] of refused)
    assert.throws(
      () => of(value, isUnified),
      (error: unknown) => error instanceof TinyrunError && message.test(error.message),
    );
});

test.run();
