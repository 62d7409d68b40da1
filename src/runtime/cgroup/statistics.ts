// The statistics of a container in the form of `runc events`: what v1 and v2 have in common. The names, their nesting
// and order are runc's; so is what is left out: a number that is 0, a list that is empty. 64 bits are kept.

/** Reads a file of the container's cgroup; undefined where there is none. For v2 the controller is empty. */
export type ReadFile = (controller: string, file: string) => string | undefined;

export interface PressureTotals {
  avg10: number;
  avg60: number;
  avg300: number;
  total: bigint;
}

/** Pressure stall information, as later versions of runc show it. */
export interface Pressure {
  some?: PressureTotals;
  full?: PressureTotals;
}

export interface MemoryEntry {
  limit: bigint;
  usage?: bigint;
  max?: bigint;
  failcnt: bigint;
}

export interface BlkioEntry {
  major?: bigint;
  minor?: bigint;
  op?: string;
  value?: bigint;
}

export interface HugetlbEntry {
  usage?: bigint;
  max?: bigint;
  failcnt: bigint;
}

export interface Statistics {
  cpu: {
    usage: {
      total?: bigint;
      percpu?: bigint[];
      percpu_kernel?: bigint[];
      percpu_user?: bigint[];
      kernel: bigint;
      user: bigint;
    };
    throttling: { periods?: bigint; throttledPeriods?: bigint; throttledTime?: bigint };
    psi?: Pressure;
  };
  cpuset: {
    cpus?: number[];
    cpu_exclusive: bigint;
    mems?: number[];
    mem_hardwall: bigint;
    mem_exclusive: bigint;
    memory_migrate: bigint;
    memory_spread_page: bigint;
    memory_spread_slab: bigint;
    memory_pressure: bigint;
    sched_load_balance: bigint;
    sched_relax_domain_level: bigint;
  };
  memory: {
    cache?: bigint;
    usage: MemoryEntry;
    swap: MemoryEntry;
    kernel: MemoryEntry;
    kernelTCP: MemoryEntry;
    raw?: Record<string, bigint>;
    psi?: Pressure;
  };
  pids: { current?: bigint; limit?: bigint };
  blkio: { [list: string]: BlkioEntry[] | Pressure };
  /** By the size of a page: `2MB`. */
  hugetlb: Record<string, HugetlbEntry>;
  /** Always empty: tinyrun makes no resctrl group that it would have to watch. */
  intel_rdt: Record<string, never>;
  /** runc's own veth pairs, which no engine asks for. */
  network_interfaces: null;
}

/** A file that holds one number; `max` and nothing at all are 0. */
export function numberIn(text: string | undefined): bigint {
  const digits = /^-?\d+$/.exec((text ?? '').trim());
  return digits === null ? 0n : BigInt(digits[0]);
}

/** Lines of `key value` as pairs; others are left out. */
export function pairsIn(text: string | undefined): Map<string, bigint> {
  const pairs = new Map<string, bigint>();
  for (const [, key, value] of (text ?? '').matchAll(/^(\S+) (\d+)$/gm)) pairs.set(key!, BigInt(value!));
  return pairs;
}

/** A map as an object with its keys sorted, as Go prints maps. */
export const sortedRecord = <T>(entries: Iterable<[string, T]>): Record<string, T> =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

/** What `omitempty` leaves of an object: no zeros, no empty texts, lists and objects. */
export function present<T extends object>(fields: T): Partial<T> {
  const kept: Partial<T> = {};
  for (const key in fields) if (!isEmpty(fields[key])) kept[key] = fields[key];
  return kept;
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === 0n || value === 0 || value === '';
}

/** A CPU list, `0-3,7`, as numbers. */
export function listIn(text: string | undefined): number[] {
  const numbers: number[] = [];
  for (const [, first, last] of (text ?? '').matchAll(/(\d+)(?:-(\d+))?/g))
    for (let i = Number(first); i <= Number(last ?? first); i++) numbers.push(i);
  return numbers;
}

/** A *.pressure file; undefined where the kernel has none. */
export function pressureIn(text: string | undefined): Pressure | undefined {
  const pressure: Pressure = {};
  const line = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/gm;
  for (const [, kind, avg10, avg60, avg300, total] of (text ?? '').matchAll(line))
    pressure[kind === 'some' ? 'some' : 'full'] = {
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
      total: BigInt(total!),
    };
  return isEmpty(pressure) ? undefined : pressure;
}
