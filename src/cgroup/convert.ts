// The numbers of config.json, which are those of cgroup v1, in the units of cgroup v2. Formulas: runc 1.3.2 and newer,
// crun 1.23 and newer (shares); kernel, Documentation/admin-guide/cgroup-v2.rst (ranges).

import type { Int64 } from '../oci/config.ts';

const [LEAST_SHARES, MOST_SHARES, MOST_WEIGHT] = [2, 262144, 10000];

/**
 * cpu.shares (2 to 262144, 1024 by default) as cpu.weight (1 to 10000, 100 by default): a curve through the three points
 * minimum, default, maximum, where the older straight line made 39 of the default.
 */
export function cpuWeight(shares: Int64): number {
  const value = Number(shares);
  if (value <= LEAST_SHARES) return 1;
  if (value >= MOST_SHARES) return MOST_WEIGHT;
  const l = Math.log2(value);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** blkio.weight (10 to 1000) as io.weight (1 to 10000). */
export const ioWeight = (weight: number): number => Math.floor(1 + ((weight - 10) * 9999) / 990);

/** A limit as a file takes it: any negative number is none. */
export const orMax = (limit: Int64): string => (limit < 0 ? 'max' : String(limit));

/** v1 has -1 for no limit. */
export const orMinusOne = (limit: Int64): string => (limit < 0 ? '-1' : String(limit));

/** What the v2 swap limit is; `swap` of config.json is memory and swap together. */
export type Swap = { value: string } | { problem: string } | undefined;

/**
 * memory.swap.max from linux.resources.memory; undefined: it is left alone.
 * @param limit 0 or absent: not set
 */
export function swapOnly(limit: Int64 = 0, swap: Int64 = 0): Swap {
  if (swap === 0 || swap === 0n) return limit < 0 ? { value: 'max' } : undefined;
  if (swap < 0) return { value: 'max' };
  if (limit < 0) return { value: String(swap) };
  if (limit === 0 || limit === 0n) return { problem: 'a limit of memory and swap needs a memory limit' };
  if (swap < limit)
    return { problem: 'the limit of memory and swap together is less than that of memory alone' };
  return { value: String(BigInt(swap) - BigInt(limit)) };
}
