// What `update` is asked for, completed by what the cgroup has: some files hold two limits, and a change of one must not
// lose the other. And the sum of all: the resources that the container has afterwards. Pure.

import type { Int64, MemoryResources, Resources } from '../../oci/config.ts';

const isZero = (value: unknown): boolean =>
  value === undefined || value === 0 || value === 0n || value === '';

/** Of memory: the kernel counts its own with the rest, and has no such limits any more. */
const IGNORED = ['kernel', 'kernelTCP'];

/**
 * The limits to change: without zeros, with which engines say "leave alone", and without devices, whose access an update
 * must not disturb.
 */
export function withoutZeros({ devices: _, ...resources }: Resources): Resources {
  const sections = Object.entries(resources).map(([name, section]): [string, unknown] => {
    if (typeof section !== 'object' || Array.isArray(section)) return [name, section];
    const kept = Object.entries(section).filter(
      ([key, value]) => key === 'idle' || !(isZero(value) || IGNORED.includes(key)),
    );
    return [name, kept.length > 0 ? Object.fromEntries(kept) : undefined];
  });
  return Object.fromEntries(sections.filter(([, section]) => section !== undefined));
}

/**
 * Adds the other half of files that have two halves on v2: `cpu.max`, and memory.swap.max, which is what `swap` leaves
 * beside `limit`.
 * @param read a file of the cgroup
 */
export function withCurrent(changes: Resources, read: (file: string) => string | undefined): Resources {
  const { cpu, memory } = changes;
  const completed: Resources = { ...changes };
  if (!isZero(cpu?.period) && isZero(cpu?.quota)) {
    const [quota] = (read('cpu.max') ?? '').split(' ');
    if (quota !== undefined && /^\d+$/.test(quota)) completed.cpu = { ...cpu, quota: Number(quota) };
  }
  if (!isZero(memory?.swap) && isZero(memory?.limit)) {
    const limit = read('memory.max')?.trim() ?? '';
    if (/^\d+$/.test(limit)) completed.memory = { ...memory, limit: Number(limit) };
    else if (limit === 'max') completed.memory = { ...memory, limit: -1 };
  }
  return completed;
}

/** The resources of a container after a change: what is not changed stays. */
export function merged(before: Resources, changes: Resources): Resources {
  const after: Record<string, unknown> = { ...before };
  for (const [name, section] of Object.entries(changes)) {
    const old = after[name];
    const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
    after[name] = isObject(old) && isObject(section) ? { ...(old as object), ...section } : section;
  }
  const resources: Resources = after;
  // Memory without a limit takes the limit from swap as well (src/cgroup/resources.ts).
  if (isUnlimited(changes.memory?.limit) && isZero(changes.memory?.swap) && !isZero(before.memory?.swap))
    resources.memory = { ...resources.memory, swap: -1 };
  return resources;
}

const isUnlimited = (limit: Int64 | undefined): boolean => limit !== undefined && limit < 0;

/**
 * Whether a limit that is below what is used now has to be refused: only where `checkBeforeUpdate` asks for that, since
 * the kernel would rather end processes (v2).
 * @param usage bytes
 * @returns runc's words, or undefined
 */
export function usageProblem(
  { limit, checkBeforeUpdate }: MemoryResources,
  usage: Int64,
): string | undefined {
  if (!checkBeforeUpdate || limit === undefined || limit <= 0 || usage <= limit) return undefined;
  return `rejecting memory limit ${limit} < usage ${usage}`;
}
