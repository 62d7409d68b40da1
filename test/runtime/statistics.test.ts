// The texts of cgroup files -> statistics, on v1 and v2.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exactJson } from '../../src/oci/json.ts';
import { listIn, pressureIn, type Statistics } from '../../src/runtime/cgroup/statistics.ts';
import { statisticsV1 } from '../../src/runtime/cgroup/statistics-v1.ts';
import { statisticsV2 } from '../../src/runtime/cgroup/statistics-v2.ts';
import { pageSize } from '../../src/runtime/cgroup/stats.ts';

const of = (files: Record<string, string>) => (_controller: string, file: string) => files[file];
/** As it is printed, and read by someone who has doubles only. */
const printed = (statistics: Statistics) => JSON.parse(exactJson(statistics));

const V1 = {
  'cpuacct.usage': '11991649\n',
  'cpuacct.usage_percpu': '4188546 7803103 \n',
  'cpuacct.usage_all': 'cpu user system\n0 1 4188546\n1 0 7803103\n',
  'cpuacct.stat': 'user 3\nsystem 1\n',
  'cpu.stat': 'nr_periods 10\nnr_throttled 2\nthrottled_time 12345\nnr_bursts 0\n',
  'cpuset.cpus': '0-1,3\n',
  'cpuset.mems': '0\n',
  'cpuset.sched_load_balance': '1\n',
  'cpuset.sched_relax_domain_level': '-1\n',
  'memory.stat': 'rss 53248\ncache 12288\nhierarchical_memory_limit 9223372036854771712\n',
  'memory.usage_in_bytes': '593920\n',
  'memory.max_usage_in_bytes': '2510848\n',
  'memory.limit_in_bytes': '9223372036854771712\n',
  'memory.failcnt': '4\n',
  'memory.kmem.usage_in_bytes': '471040\n',
  'pids.current': '1\n',
  'pids.max': 'max\n',
  'blkio.throttle.io_serviced_recursive': '8:0 Read 3\n8:0 Write 0\n8:0 Total 3\nTotal 3\n',
  'blkio.throttle.io_service_bytes_recursive': '8:0 Read 12288\n8:0 Total 12288\nTotal 12288\n',
  'hugetlb.2MB.usage_in_bytes': '2097152\n',
  'hugetlb.2MB.max_usage_in_bytes': '4194304\n',
  'hugetlb.2MB.failcnt': '0\n',
};

test('statisticsV1: takes all that v1 has, and leaves out what is zero', () => {
  const statistics = printed(statisticsV1(of(V1), ['2MB', '1GB']));
  assert.equal(statistics.cpu, {
    usage: {
      total: 11991649,
      percpu: [4188546, 7803103],
      percpu_kernel: [4188546, 7803103],
      percpu_user: [1, 0],
      kernel: 10000000,
      user: 30000000,
    },
    throttling: { periods: 10, throttledPeriods: 2, throttledTime: 12345 },
  });
  assert.equal(statistics.cpuset, {
    cpus: [0, 1, 3],
    cpu_exclusive: 0,
    mems: [0],
    mem_hardwall: 0,
    mem_exclusive: 0,
    memory_migrate: 0,
    memory_spread_page: 0,
    memory_spread_slab: 0,
    memory_pressure: 0,
    sched_load_balance: 1,
    sched_relax_domain_level: -1,
  });
  assert.equal(statistics.pids, { current: 1 });
  assert.equal(statistics.blkio, {
    ioServiceBytesRecursive: [
      { major: 8, op: 'Read', value: 12288 },
      { major: 8, op: 'Total', value: 12288 },
    ],
    ioServicedRecursive: [
      { major: 8, op: 'Read', value: 3 },
      { major: 8, op: 'Write' },
      { major: 8, op: 'Total', value: 3 },
    ],
  });
  assert.equal(statistics.hugetlb, { '2MB': { usage: 2097152, max: 4194304, failcnt: 0 } });
  assert.equal([statistics.intel_rdt, statistics.network_interfaces], [{}, null]);
});

test('statisticsV1: keeps all bits of a number, and sorts what memory.stat has', () => {
  const text = exactJson(statisticsV1(of(V1), []).memory);
  assert.is(
    text,
    '{"cache":12288,"usage":{"limit":9223372036854771712,"usage":593920,"max":2510848,"failcnt":4},' +
      '"swap":{"limit":0,"failcnt":0},"kernel":{"limit":0,"usage":471040,"failcnt":0},' +
      '"kernelTCP":{"limit":0,"failcnt":0},' +
      '"raw":{"cache":12288,"hierarchical_memory_limit":9223372036854771712,"rss":53248}}',
  );
});

test('statisticsV1: the lists of bfq count before those of the throttle', () => {
  const bfq = {
    'blkio.bfq.io_serviced_recursive': '8:16 Read 9\nTotal 9\n',
    'blkio.bfq.io_service_bytes_recursive': '8:16 Read 900\nTotal 900\n',
  };
  assert.equal(printed(statisticsV1(of({ ...V1, ...bfq }), [])).blkio, {
    ioServiceBytesRecursive: [{ major: 8, minor: 16, op: 'Read', value: 900 }],
    ioServicedRecursive: [{ major: 8, minor: 16, op: 'Read', value: 9 }],
  });
});

const V2 = {
  'cpu.stat':
    'usage_usec 150\nuser_usec 100\nsystem_usec 50\nnr_periods 4\nnr_throttled 1\nthrottled_usec 7\n',
  'cpu.pressure':
    'some avg10=0.50 avg60=0.10 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  'memory.stat': 'anon 100\nfile 200\n',
  'memory.current': '1000\n',
  'memory.max': '5000\n',
  'memory.peak': '3000\n',
  'memory.swap.current': '50\n',
  'memory.swap.max': '1000\n',
  'pids.current': '3\n',
  'pids.max': '20\n',
  'io.stat': '8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n',
  'hugetlb.2MB.current': '0\n',
  'hugetlb.2MB.rsvd.current': '2097152\n',
  'hugetlb.2MB.events': 'max 5\n',
};

test("statisticsV2: says the same in v1's terms", () => {
  const statistics = printed(statisticsV2(of(V2), ['2MB']));
  assert.equal(statistics.cpu, {
    usage: { total: 150000, kernel: 50000, user: 100000 },
    throttling: { periods: 4, throttledPeriods: 1, throttledTime: 7000 },
    psi: {
      some: { avg10: 0.5, avg60: 0.1, avg300: 0, total: 1234 },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 0 },
    },
  });
  const none = { limit: 0, failcnt: 0 };
  assert.equal(statistics.memory, {
    cache: 200,
    usage: { limit: 5000, usage: 1000, max: 3000, failcnt: 0 },
    swap: { limit: 6000, usage: 1050, failcnt: 0 },
    kernel: none,
    kernelTCP: none,
    raw: { anon: 100, file: 200 },
  });
  assert.equal(statistics.pids, { current: 3, limit: 20 });
  assert.equal(statistics.blkio, {
    ioServiceBytesRecursive: [
      { major: 8, op: 'Read', value: 4096 },
      { major: 8, op: 'Write' },
    ],
    ioServicedRecursive: [
      { major: 8, op: 'Read', value: 1 },
      { major: 8, op: 'Write' },
    ],
  });
  assert.equal(statistics.hugetlb, { '2MB': { usage: 2097152, failcnt: 5 } });
});

test('statisticsV2: without a limit it is the largest number that there is', () => {
  const unlimited = { ...V2, 'memory.max': 'max\n', 'memory.swap.max': 'max\n', 'pids.max': 'max\n' };
  const { memory, pids } = statisticsV2(of(unlimited), []);
  assert.is(memory.usage.limit, 18446744073709551615n);
  assert.is(memory.swap.limit, 18446744073709551615n);
  assert.equal(pids, { current: 3n });
});

test('statisticsV2, statisticsV1: a cgroup that is gone gives zeros', () => {
  for (const statistics of [statisticsV1(of({}), ['2MB']), statisticsV2(of({}), ['2MB'])])
    assert.equal(
      [statistics.cpu.throttling, statistics.pids, statistics.blkio, statistics.hugetlb],
      [{}, {}, {}, {}],
    );
});

test('listIn, pageSize, pressureIn: parts of it', () => {
  assert.equal(listIn('0-2,5\n'), [0, 1, 2, 5]);
  assert.equal(listIn('\n'), []);
  assert.equal([64, 2048, 32768, 1 << 20].map(pageSize), ['64KB', '2MB', '32MB', '1GB']);
  assert.is(pressureIn(undefined), undefined);
});

test.run();
