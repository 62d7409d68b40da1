// Numbers, sizes and durations of the command line, as Go's libraries read them for runc.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDuration } from '../../src/cli/duration.ts';
import { parseFast } from '../../src/cli/fast.ts';
import { toResources } from '../../src/cli/update-options.ts';
import { parseWithYargs } from '../../src/cli/yargs.ts';
import { TinyrunError } from '../../src/errors.ts';
import { filterTable } from '../../src/runtime/ps.ts';

const resources = (...words: string[]) => {
  const line = parseFast(['update', ...words, 'c1']);
  assert.ok(line);
  return toResources(line);
};

test('toResources: every flag has its field', () => {
  assert.equal(
    resources(
      ...['--memory', '50M', '--memory-reservation=1.5G', '--memory-swap', '-1', '--kernel-memory', '1k'],
      ...['--kernel-memory-tcp', '2kb', '--cpu-period', '1', '--cpu-quota', '-1', '--cpu-burst', '3'],
      ...['--cpu-share', '4', '--cpu-rt-period', '5', '--cpu-rt-runtime', '6', '--cpu-idle', '1'],
      ...['--cpuset-cpus', '0-1', '--cpuset-mems', '0', '--pids-limit', '-1', '--blkio-weight', '10'],
    ),
    {
      memory: { limit: 50 << 20, reservation: 1.5 * (1 << 30), swap: -1, kernel: 1024, kernelTCP: 2048 },
      cpu: {
        ...{ period: 1, quota: -1, burst: 3, shares: 4, realtimePeriod: 5, realtimeRuntime: 6, idle: 1 },
        ...{ cpus: '0-1', mems: '0' },
      },
      pids: { limit: -1 },
      blockIO: { weight: 10 },
    },
  );
});

test('toResources: 64 bits are kept', () => {
  assert.equal(resources('--cpu-quota', '9223372036854775807'), { cpu: { quota: 9223372036854775807n } });
});

for (const [flag, value] of [
  ['--memory', '-2'],
  ['--memory', '5X'],
  ['--memory', '1e3'],
  ['--cpu-period', '-1'],
  ['--cpu-share', '1.5'],
  ['--pids-limit', ''],
] as const)
  test(`toResources: ${flag} ${JSON.stringify(value)} is refused, or says nothing`, () => {
    if (value === '') assert.equal(resources(`${flag}=`), {});
    else
      assert.throws(
        () => resources(flag, value),
        (error: unknown) => error instanceof TinyrunError && error.message.startsWith('invalid value for '),
      );
  });

test('parseDuration: as Go', () => {
  const valid: Record<string, number> = {
    '5s': 5000,
    '100ms': 100,
    '1m30s': 90_000,
    '1.5h': 5_400_000,
    '.5s': 500,
    '250us': 0.25,
    '250µs': 0.25,
    '2000000ns': 2,
    '+1s': 1000,
    '-1s': -1000,
    '0': 0,
  };
  for (const text in valid) assert.is(parseDuration(text), valid[text], text);
  for (const text of ['', '5', 's', '5 s', '5s3', '1d', '--1s', '1s-1s'])
    assert.is(parseDuration(text), undefined, text);
});

test('words behind the id of ps are passed on as they are, by both parsers', async () => {
  for (const words of [
    ['ps', '-f', 'json', 'c1', '-o', 'pid,comm', '--help'],
    ['ps', 'c1', '--', 'aux'],
    ['ps', 'c1', '-f', 'json', '--', 'x'],
    ['ps', '--format=json', 'c1'],
  ]) {
    const fast = parseFast(words);
    assert.ok(fast);
    assert.equal(await parseWithYargs(words), fast);
  }
  assert.equal(parseFast(['ps', 'c1', '-f', 'json', '--', 'x'])?.rest, ['-f', 'json', '--', 'x']);
  assert.equal(parseFast(['ps', 'c1', '--', 'aux'])?.rest, ['aux']);
});

test('filterTable: keeps the head and the lines of these processes', () => {
  const table =
    'UID        PID  PPID CMD\nroot         1     0 init\nroot        12     1 sh -c 1\nroot       123    12 x\n';
  assert.is(filterTable(table, [12]), 'UID        PID  PPID CMD\nroot        12     1 sh -c 1\n');
  assert.is(filterTable(table, []), 'UID        PID  PPID CMD\n');
  assert.throws(() => filterTable('COMMAND\nsh\n', [1]), /couldn't find PID field in ps output/);
});

test.run();
