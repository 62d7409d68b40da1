// The files of a cgroup in the unified hierarchy -> statistics, in the terms of v1, as runc gives them: nanoseconds, and
// memory with swap as one sum. Kernel: Documentation/admin-guide/cgroup-v2.rst.

import {
  type BlkioEntry,
  type HugetlbEntry,
  type MemoryEntry,
  numberIn,
  pairsIn,
  present,
  pressureIn,
  type ReadFile,
  type Statistics,
  sortedRecord,
} from './statistics.ts';

const NANOSECONDS = 1000n;
const UNLIMITED = 0xffff_ffff_ffff_ffffn;
const NOTHING: MemoryEntry = { limit: 0n, failcnt: 0n };

/** @param pageSizes of huge pages: `2MB` */
export function statisticsV2(read: ReadFile, pageSizes: readonly string[]): Statistics {
  const file = (name: string): string | undefined => read('', name);
  return {
    cpu: cpu(file),
    // There is no such thing as most of these in v2, and runc reads none.
    cpuset: {
      cpu_exclusive: 0n,
      mem_hardwall: 0n,
      mem_exclusive: 0n,
      memory_migrate: 0n,
      memory_spread_page: 0n,
      memory_spread_slab: 0n,
      memory_pressure: 0n,
      sched_load_balance: 0n,
      sched_relax_domain_level: 0n,
    },
    memory: memory(file),
    pids: present({ current: numberIn(file('pids.current')), limit: numberIn(file('pids.max')) }),
    blkio: { ...io(file('io.stat')), ...psi(file('io.pressure')) },
    hugetlb: sortedRecord(pageSizes.flatMap((size) => hugetlb(file, size))),
    intel_rdt: {},
    network_interfaces: null,
  };
}

type File = (name: string) => string | undefined;

function psi(text: string | undefined): { psi?: NonNullable<ReturnType<typeof pressureIn>> } {
  const pressure = pressureIn(text);
  return pressure === undefined ? {} : { psi: pressure };
}

function cpu(file: File): Statistics['cpu'] {
  const counts = pairsIn(file('cpu.stat'));
  const count = (name: string): bigint => counts.get(name) ?? 0n;
  return {
    usage: {
      ...present({ total: count('usage_usec') * NANOSECONDS }),
      kernel: count('system_usec') * NANOSECONDS,
      user: count('user_usec') * NANOSECONDS,
    },
    throttling: present({
      periods: count('nr_periods'),
      throttledPeriods: count('nr_throttled'),
      throttledTime: count('throttled_usec') * NANOSECONDS,
    }),
    ...psi(file('cpu.pressure')),
  };
}

function memory(file: File): Statistics['memory'] {
  const counts = pairsIn(file('memory.stat'));
  const usage = numberIn(file('memory.current'));
  const limit = limitIn(file('memory.max'));
  const swapLimit = limitIn(file('memory.swap.max'));
  const max = numberIn(file('memory.peak'));
  const hasSwap = file('memory.swap.current') !== undefined;
  const sum: MemoryEntry = {
    limit: swapLimit === UNLIMITED || limit === UNLIMITED ? UNLIMITED : swapLimit + limit,
    ...present({ usage: numberIn(file('memory.swap.current')) + usage }),
    failcnt: 0n,
  };
  return {
    ...present({ cache: counts.get('file') ?? 0n }),
    usage: { limit, ...present({ usage, max }), failcnt: 0n },
    swap: hasSwap ? sum : NOTHING,
    kernel: NOTHING,
    kernelTCP: NOTHING,
    ...present({ raw: sortedRecord(counts) }),
    ...psi(file('memory.pressure')),
  };
}

const limitIn = (text: string | undefined): bigint => (text?.trim() === 'max' ? UNLIMITED : numberIn(text));

/** The keys of io.stat that v1 has names for. */
const IO_KEYS: readonly (readonly [list: string, key: string, op: string])[] = [
  ['ioServiceBytesRecursive', 'rbytes', 'Read'],
  ['ioServiceBytesRecursive', 'wbytes', 'Write'],
  ['ioServicedRecursive', 'rios', 'Read'],
  ['ioServicedRecursive', 'wios', 'Write'],
];

/** Lines of `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function io(text: string | undefined): Record<string, BlkioEntry[]> {
  const lists: Record<string, BlkioEntry[]> = {};
  for (const [, major, minor, rest] of (text ?? '').matchAll(/^(\d+):(\d+) (.*)$/gm)) {
    const values = new Map(rest!.split(' ').map((pair) => pair.split('=') as [string, string]));
    for (const [list, key, op] of IO_KEYS) {
      const value = values.get(key);
      if (value === undefined) continue;
      const entry = present({ major: BigInt(major!), minor: BigInt(minor!), op, value: numberIn(value) });
      lists[list] = [...(lists[list] ?? []), entry];
    }
  }
  return lists;
}

/** A reservation counts first, as runc looks for it. */
function hugetlb(file: File, size: string): [string, HugetlbEntry][] {
  const usage = file(`hugetlb.${size}.rsvd.current`) ?? file(`hugetlb.${size}.current`);
  if (usage === undefined) return [];
  const failcnt = pairsIn(file(`hugetlb.${size}.events`)).get('max') ?? 0n;
  return [[size, { ...present({ usage: numberIn(usage) }), failcnt }]];
}
