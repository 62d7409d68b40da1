// What systemd is told of a container's scope: linux.resources and annotations -> properties of a unit, as D-Bus values.
// systemd writes the files of the cgroup from them, now and whenever it looks through its units again: a limit that it did
// not know of would be undone then. systemd.resource-control(5), org.freedesktop.systemd1(5); spec/cgroups.md.

import { TinyrunError } from '../errors.ts';
import type { Int64, Resources } from '../oci/config.ts';
import { cpuWeight, swapOnly } from './convert.ts';
import { type FullRule, isForAll } from './devices.ts';
import { parseVariant, type Variant } from './gvariant.ts';
import { isZero } from './row.ts';

/** A property of a unit: its name and its value. */
export type Property = readonly [name: string, value: Variant];

/** systemd's word for no limit: all bits. */
const INFINITY = 0xffff_ffff_ffff_ffffn;
const u64 = (value: Int64): Variant => ({
  signature: 't',
  value: value < 0 ? INFINITY : BigInt(value),
});
const bool = (value: boolean): Variant => ({ signature: 'b', value });
const text = (value: string): Variant => ({ signature: 's', value });

/** The placeholder is in the scope when init is born: a lower limit is written to the file alone, when it is gone. */
const LEAST_TASKS = 3;

/** What every scope has. */
export function scopeProperties(id: string, slice: string, pid: number, version: 1 | 2): Property[] {
  return [
    ['Description', text(`container ${id}`)],
    ['Slice', text(slice)],
    ['PIDs', { signature: 'au', value: [pid] }],
    ['Delegate', bool(true)],
    ['DefaultDependencies', bool(false)],
    // A container that fails leaves no failed unit behind.
    ['CollectMode', text('inactive-or-failed')],
    ...['CPUAccounting', 'MemoryAccounting', 'TasksAccounting'].map((name): Property => [name, bool(true)]),
    [version === 2 ? 'IOAccounting' : 'BlockIOAccounting', bool(true)],
  ];
}

/** The limits that systemd knows of; the others are written to their files alone. */
export function resourceProperties(resources: Resources, version: 1 | 2): Property[] {
  return version === 2 ? unifiedProperties(resources) : legacyProperties(resources);
}

const isSet = (value: Int64 | undefined): value is Int64 => value !== undefined && !isZero(value);

function unifiedProperties(resources: Resources): Property[] {
  const { memory = {}, cpu = {} } = resources;
  const swap = swapOnly(memory.limit, memory.swap);
  return [
    ...(isSet(memory.limit) ? [['MemoryMax', u64(memory.limit)] as const] : []),
    ...(isSet(memory.reservation) ? [['MemoryLow', u64(memory.reservation)] as const] : []),
    ...(swap !== undefined && 'value' in swap ? [['MemorySwapMax', limit(swap.value)] as const] : []),
    ...(isSet(cpu.shares) ? [['CPUWeight', u64(cpuWeight(cpu.shares))] as const] : []),
    ...quota(cpu.quota, cpu.period),
    ...(cpu.cpus ? [['AllowedCPUs', cpuMask(cpu.cpus, 'cpus')] as const] : []),
    ...(cpu.mems ? [['AllowedMemoryNodes', cpuMask(cpu.mems, 'mems')] as const] : []),
    ...tasks(resources),
    ...Object.entries(resources.unified ?? {}).flatMap(([file, value]) => unifiedFile(file, value.trim())),
  ];
}

function legacyProperties(resources: Resources): Property[] {
  const { memory = {}, cpu = {}, blockIO } = resources;
  return [
    ...(isSet(memory.limit) ? [['MemoryLimit', u64(memory.limit)] as const] : []),
    ...(isSet(cpu.shares) ? [['CPUShares', u64(cpu.shares)] as const] : []),
    ...quota(cpu.quota, cpu.period),
    ...(isSet(blockIO?.weight) ? [['BlockIOWeight', u64(blockIO.weight)] as const] : []),
    ...tasks(resources),
  ];
}

const limit = (value: string): Variant => u64(value === 'max' ? -1 : BigInt(value));

function tasks({ pids }: Resources): Property[] {
  if (pids === undefined || (pids.limit >= 0 && pids.limit < LEAST_TASKS)) return [];
  return [['TasksMax', u64(pids.limit)]];
}

const DEFAULT_PERIOD = 100_000n;
const SECOND = 1_000_000n;
/** systemd's own step. */
const STEP = 10_000n;

/** CPU time as systemd counts it, microseconds in each second. */
function quota(quota: Int64 = 0, period: Int64 = 0): Property[] {
  if (isZero(quota) && isZero(period)) return [];
  const length = isZero(period) ? DEFAULT_PERIOD : BigInt(period);
  const perSecond = (BigInt(quota) * SECOND) / length;
  const value = quota > 0 ? ((perSecond + STEP - 1n) / STEP) * STEP : -1;
  return [
    ['CPUQuotaPerSecUSec', u64(value)],
    ...(isZero(period) ? [] : [['CPUQuotaPeriodUSec', u64(period)] as const]),
  ];
}

/** `0-2,5` as the bytes of a bit mask, the lowest first. */
function cpuMask(list: string, field: string): Variant {
  const bytes: number[] = [];
  for (const part of list.split(',')) {
    const range = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    const [first, last] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])];
    if (range === null || last < first || last > 65535)
      throw new TinyrunError(
        'CONFIG',
        `set /linux/resources/cpu/${field}: ${JSON.stringify(list)} is no list such as 0-2,5`,
        {
          data: { pointer: `/linux/resources/cpu/${field}` },
        },
      );
    for (let bit = first; bit <= last; bit++) {
      while (bytes.length <= bit >> 3) bytes.push(0);
      bytes[bit >> 3]! |= 1 << (bit & 7);
    }
  }
  return { signature: 'ay', value: Uint8Array.from(bytes) };
}

/** Files of v2 that systemd writes itself. */
const UNIFIED_LIMITS: Readonly<Record<string, string>> = {
  'memory.min': 'MemoryMin',
  'memory.low': 'MemoryLow',
  'memory.high': 'MemoryHigh',
  'memory.max': 'MemoryMax',
  'memory.swap.max': 'MemorySwapMax',
  'cpu.weight': 'CPUWeight',
};

function unifiedFile(file: string, value: string): Property[] {
  if (file === 'cpuset.cpus') return [['AllowedCPUs', cpuMask(value, 'cpus')]];
  if (file === 'cpuset.mems') return [['AllowedMemoryNodes', cpuMask(value, 'mems')]];
  const isLimit = /^(max|\d+)$/.test(value);
  if (file === 'pids.max' && isLimit) return tasks({ pids: { limit: value === 'max' ? -1 : BigInt(value) } });
  if (file === 'cpu.max') {
    const [most = '', period = '0'] = value.split(/\s+/);
    if (!/^(max|\d+)$/.test(most) || !/^\d+$/.test(period)) return [];
    return quota(most === 'max' ? -1 : BigInt(most), BigInt(period));
  }
  const name = UNIFIED_LIMITS[file];
  return name === undefined || !isLimit ? [] : [[name, limit(value)]];
}

/**
 * v1 alone, where systemd writes devices.allow and devices.deny too; on v2 its program and ours both have to agree.
 * @param groups /proc/devices: `c136` -> `pts`; what the kernel has no name for cannot be opened either
 */
export function deviceProperties(
  rules: readonly FullRule[],
  groups: ReadonlyMap<string, string>,
): Property[] {
  const [first, ...rest] = rules;
  // With everything allowed but for some, systemd has no words for it.
  if (first === undefined || (isForAll(first) && first.allow)) return [['DevicePolicy', text('auto')]];
  const allowed = rest
    .filter(({ allow }) => allow)
    .flatMap(({ type, major, minor, access }) => {
      const types = type === 'a' ? (['c', 'b'] as const) : [type];
      return types.flatMap((one) => {
        const kind = one === 'c' ? 'char' : 'block';
        if (major === undefined) return [[`${kind}-*`, access]];
        if (minor !== undefined) return [[`/dev/${kind}/${major}:${minor}`, access]];
        const group = groups.get(`${one}${major}`);
        return group === undefined ? [] : [[`${kind}-${group}`, access]];
      });
    });
  return [
    ['DevicePolicy', text('strict')],
    ['DeviceAllow', { signature: 'a(ss)', value: allowed }],
  ];
}

const ANNOTATION = 'org.systemd.property.';

/**
 * The annotations `org.systemd.property.NAME`: any property, its value as gdbus writes it. A time whose name ends with
 * `Sec` may be given in seconds: systemd itself has microseconds, and names that end with `USec`.
 * @throws TinyrunError CONFIG where a name or a value is none
 */
export function annotatedProperties(annotations: Readonly<Record<string, string>> = {}): Property[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(ANNOTATION))
    .map(([key, given]) => {
      const name = key.slice(ANNOTATION.length);
      const value = /^[a-zA-Z]{3,}$/.test(name) ? parseVariant(given) : undefined;
      if (value === undefined)
        throw new TinyrunError(
          'CONFIG',
          `annotation ${key}: ${JSON.stringify(given)} is no property's value`,
          {
            hint: "write it as GVariant text: 'string', true, uint64 5, ['a', 'b']",
          },
        );
      return inMicroseconds(name, value);
    });
}

function inMicroseconds(name: string, { signature, value }: Variant): Property {
  if (!/[a-z]Sec$/.test(name) || typeof value === 'boolean') return [name, { signature, value }];
  const seconds = Number(value);
  if (Number.isNaN(seconds)) return [name, { signature, value }];
  return [name.replace(/Sec$/, 'USec'), u64(BigInt(Math.round(seconds * Number(SECOND))))];
}
