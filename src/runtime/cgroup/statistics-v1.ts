// The files of v1 hierarchies -> statistics. Kernel: Documentation/admin-guide/cgroup-v1.

import {
  type BlkioEntry,
  type HugetlbEntry,
  listIn,
  type MemoryEntry,
  numberIn,
  pairsIn,
  present,
  type ReadFile,
  type Statistics,
  sortedRecord,
} from './statistics.ts';

/** cpuacct.stat counts in USER_HZ, 100 a second on every architecture. */
const NANOSECONDS_A_TICK = 10_000_000n;

/** @param pageSizes of huge pages: `2MB` */
export function statisticsV1(read: ReadFile, pageSizes: readonly string[]): Statistics {
  return {
    cpu: { usage: cpuUsage(read), throttling: throttling(read) },
    cpuset: cpuset(read),
    memory: memory(read),
    pids: present({
      current: numberIn(read('pids', 'pids.current')),
      limit: numberIn(read('pids', 'pids.max')),
    }),
    blkio: blkio(read),
    hugetlb: sortedRecord(
      pageSizes.flatMap((size): [string, HugetlbEntry][] => {
        const file = (name: string) => read('hugetlb', `hugetlb.${size}.${name}`);
        const usage = file('usage_in_bytes');
        if (usage === undefined) return [];
        const max = numberIn(file('max_usage_in_bytes'));
        return [[size, { ...present({ usage: numberIn(usage), max }), failcnt: numberIn(file('failcnt')) }]];
      }),
    ),
    intel_rdt: {},
    network_interfaces: null,
  };
}

const numbersIn = (text: string | undefined): bigint[] => (text ?? '').match(/\d+/g)?.map(BigInt) ?? [];

function cpuUsage(read: ReadFile): Statistics['cpu']['usage'] {
  const ticks = pairsIn(read('cpuacct', 'cpuacct.stat'));
  // `cpu user system`, then a line for each CPU.
  const all = [...(read('cpuacct', 'cpuacct.usage_all') ?? '').matchAll(/^\d+ (\d+) (\d+)$/gm)];
  return {
    ...present({
      total: numberIn(read('cpuacct', 'cpuacct.usage')),
      percpu: numbersIn(read('cpuacct', 'cpuacct.usage_percpu')),
      percpu_kernel: all.map(([, , kernel]) => BigInt(kernel!)),
      percpu_user: all.map(([, user]) => BigInt(user!)),
    }),
    kernel: (ticks.get('system') ?? 0n) * NANOSECONDS_A_TICK,
    user: (ticks.get('user') ?? 0n) * NANOSECONDS_A_TICK,
  };
}

function throttling(read: ReadFile): Statistics['cpu']['throttling'] {
  const counts = pairsIn(read('cpu', 'cpu.stat'));
  return present({
    periods: counts.get('nr_periods') ?? 0n,
    throttledPeriods: counts.get('nr_throttled') ?? 0n,
    throttledTime: counts.get('throttled_time') ?? 0n,
  });
}

function cpuset(read: ReadFile): Statistics['cpuset'] {
  const file = (name: string): string | undefined => read('cpuset', `cpuset.${name}`);
  return {
    ...present({ cpus: listIn(file('cpus')) }),
    cpu_exclusive: numberIn(file('cpu_exclusive')),
    ...present({ mems: listIn(file('mems')) }),
    mem_hardwall: numberIn(file('mem_hardwall')),
    mem_exclusive: numberIn(file('mem_exclusive')),
    memory_migrate: numberIn(file('memory_migrate')),
    memory_spread_page: numberIn(file('memory_spread_page')),
    memory_spread_slab: numberIn(file('memory_spread_slab')),
    memory_pressure: numberIn(file('memory_pressure')),
    sched_load_balance: numberIn(file('sched_load_balance')),
    sched_relax_domain_level: numberIn(file('sched_relax_domain_level')),
  };
}

function memory(read: ReadFile): Statistics['memory'] {
  const counts = pairsIn(read('memory', 'memory.stat'));
  const entry = (kind: string): MemoryEntry => {
    const file = (name: string) => numberIn(read('memory', `memory.${kind}${name}`));
    const used = present({ usage: file('usage_in_bytes'), max: file('max_usage_in_bytes') });
    return { limit: file('limit_in_bytes'), ...used, failcnt: file('failcnt') };
  };
  return {
    ...present({ cache: counts.get('cache') ?? 0n }),
    usage: entry(''),
    swap: entry('memsw.'),
    kernel: entry('kmem.'),
    kernelTCP: entry('kmem.tcp.'),
    ...present({ raw: sortedRecord(counts) }),
  };
}

/** The lists of blkio by file. What the kernel has depends on its I/O schedulers: the first group that is there counts. */
const BLKIO_GROUPS: readonly Readonly<Record<string, string>>[] = [
  {
    'bfq.sectors_recursive': 'sectorsRecursive',
    'bfq.io_service_time_recursive': 'ioServiceTimeRecursive',
    'bfq.io_wait_time_recursive': 'ioWaitTimeRecursive',
    'bfq.io_merged_recursive': 'ioMergedRecursive',
    'bfq.io_queued_recursive': 'ioQueueRecursive',
    'bfq.time_recursive': 'ioTimeRecursive',
    'bfq.io_serviced_recursive': 'ioServicedRecursive',
    'bfq.io_service_bytes_recursive': 'ioServiceBytesRecursive',
  },
  {
    'bfq.io_serviced_recursive': 'ioServicedRecursive',
    'bfq.io_service_bytes_recursive': 'ioServiceBytesRecursive',
  },
  {
    sectors_recursive: 'sectorsRecursive',
    io_service_time_recursive: 'ioServiceTimeRecursive',
    io_wait_time_recursive: 'ioWaitTimeRecursive',
    io_merged_recursive: 'ioMergedRecursive',
    io_queued_recursive: 'ioQueueRecursive',
    time_recursive: 'ioTimeRecursive',
    io_serviced_recursive: 'ioServicedRecursive',
    io_service_bytes_recursive: 'ioServiceBytesRecursive',
  },
  {
    'throttle.io_serviced_recursive': 'ioServicedRecursive',
    'throttle.io_service_bytes_recursive': 'ioServiceBytesRecursive',
  },
  { 'throttle.io_serviced': 'ioServicedRecursive', 'throttle.io_service_bytes': 'ioServiceBytesRecursive' },
];

/** In the order in which they are printed. */
const BLKIO_LISTS = [
  'ioServiceBytesRecursive',
  'ioServicedRecursive',
  'ioQueueRecursive',
  'ioServiceTimeRecursive',
  'ioWaitTimeRecursive',
  'ioMergedRecursive',
  'ioTimeRecursive',
  'sectorsRecursive',
];

function blkio(read: ReadFile): Record<string, BlkioEntry[]> {
  for (const group of BLKIO_GROUPS) {
    const lists: Record<string, BlkioEntry[]> = {};
    for (const file in group) lists[group[file]!] = entriesIn(read('blkio', `blkio.${file}`));
    if (lists[Object.values(group)[0]!]!.length === 0) continue;
    return Object.fromEntries(
      BLKIO_LISTS.filter((name) => (lists[name]?.length ?? 0) > 0).map((name) => [name, lists[name]!]),
    );
  }
  return {};
}

/** Lines of `8:0 Read 4096` or `8:0 4096`; the sum of all devices, `Total 4096`, is left out. */
function entriesIn(text: string | undefined): BlkioEntry[] {
  const lines = [...(text ?? '').matchAll(/^(\d+):(\d+)(?: ([A-Za-z]+))? (\d+)$/gm)];
  return lines.map(([, major, minor, op = '', value]) =>
    present({ major: BigInt(major!), minor: BigInt(minor!), op, value: BigInt(value!) }),
  );
}
