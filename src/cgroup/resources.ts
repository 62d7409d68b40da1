// linux.resources -> what is written to which file of the cgroup, on v1 and on v2: one table, a row a field, both
// versions side by side. Devices are devices.ts. OCI config-linux.md, "Control groups"; kernel, admin-guide/cgroup-v1
// and cgroup-v2.rst; spec/cgroups.md.
//
// Engines write zeros where they mean "leave alone": a zero is left alone, except where the table keeps it.

import type { BlockIOResources, Int64, Resources, ThrottleDevice } from '../oci/config.ts';
import { cpuWeight, ioWeight, orMax, orMinusOne, swapOnly } from './convert.ts';
import { type CgroupHierarchy, isUnified } from './path.ts';
import {
  type CgroupWrite,
  exact,
  type FileValue,
  type Item,
  isZero,
  limit,
  listed,
  NOT_ON_V2,
  number,
  plain,
  row,
  signed,
  text,
  unable,
  type Writer,
  yes,
} from './row.ts';

/** Docker's "unset" is all bits. */
const ALL_BITS = 0xffff_ffff_ffff_ffffn;

function swappiness(at: string, value: Int64 | undefined): Item<Int64>[] {
  if (value === undefined || BigInt.asUintN(64, BigInt(value)) === ALL_BITS) return [];
  if (value < 0 || value > 100)
    throw unable(
      `/linux/resources/${at}`,
      `invalid memory swappiness value: ${value} (valid range is 0-100)`,
    );
  return [[at, value]];
}

const memory: readonly Writer[] = [
  row({
    controller: 'memory',
    items: ({ memory }) => number('memory/limit', memory?.limit),
    v1: signed('memory.limit_in_bytes'),
    v2: limit('memory.max'),
  }),
  row({
    // Memory without a limit, and nothing said about swap: swap has no limit either.
    controller: 'memory',
    items: ({ memory }) =>
      memory?.limit !== undefined && memory.limit < 0 && isZero(memory.swap ?? 0)
        ? number('memory/limit', memory.limit)
        : [],
    v1: () => [{ file: 'memory.memsw.limit_in_bytes', value: '-1', optional: true }],
    v2: () => [{ file: 'memory.swap.max', value: 'max', optional: true }],
  }),
  row({
    controller: 'memory',
    items: ({ memory }) => number('memory/swap', memory?.swap),
    v1: (swap) => [
      {
        file: 'memory.memsw.limit_in_bytes',
        value: orMinusOne(swap),
        ...(swap < 0 ? { optional: true } : {}),
      },
    ],
    v2: (swap, { memory }) => {
      const only = swapOnly(memory?.limit, swap);
      if (only === undefined) return [];
      if ('problem' in only) throw unable('/linux/resources/memory/swap', only.problem);
      // Without swap there is nothing to limit or to forbid.
      const optional = only.value === 'max' || only.value === '0';
      return [{ file: 'memory.swap.max', value: only.value, ...(optional ? { optional } : {}) }];
    },
  }),
  row({
    controller: 'memory',
    items: ({ memory }) => number('memory/reservation', memory?.reservation),
    v1: signed('memory.soft_limit_in_bytes'),
    v2: limit('memory.low'),
  }),
  row({
    controller: 'memory',
    items: ({ memory }) => swappiness('memory/swappiness', memory?.swappiness),
    v1: plain('memory.swappiness'),
    v2: `memory swappiness: ${NOT_ON_V2}`,
  }),
  row({
    controller: 'memory',
    items: ({ memory }) => yes('memory/disableOOMKiller', memory?.disableOOMKiller),
    v1: () => [{ file: 'memory.oom_control', value: '1' }],
    v2: `switching the OOM killer off: ${NOT_ON_V2}`,
  }),
];

const cpu: readonly Writer[] = [
  row({
    // A group that is idle takes no shares: first it is none any more.
    controller: 'cpu',
    items: ({ cpu }) => (cpu?.idle !== undefined && isZero(cpu.idle) ? exact('cpu/idle', cpu.idle) : []),
    v1: () => [{ file: 'cpu.idle', value: '0', optional: true }],
    v2: () => [{ file: 'cpu.idle', value: '0', optional: true }],
    dispensable: () => true,
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/shares', cpu?.shares),
    v1: plain('cpu.shares'),
    v2: (shares) => [{ file: 'cpu.weight', value: String(cpuWeight(shares)) }],
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/realtimePeriod', cpu?.realtimePeriod),
    v1: plain('cpu.rt_period_us'),
    v2: `realtime limits: ${NOT_ON_V2}`,
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/realtimeRuntime', cpu?.realtimeRuntime),
    v1: plain('cpu.rt_runtime_us'),
    v2: `realtime limits: ${NOT_ON_V2}`,
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/period', cpu?.period),
    v1: plain('cpu.cfs_period_us'),
    // With a quota it is in the same line.
    v2: (period, { cpu }) => (isZero(cpu?.quota ?? 0) ? [{ file: 'cpu.max', value: `max ${period}` }] : []),
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/quota', cpu?.quota),
    v1: signed('cpu.cfs_quota_us'),
    v2: (quota, { cpu }) => [
      { file: 'cpu.max', value: isZero(cpu?.period ?? 0) ? orMax(quota) : `${orMax(quota)} ${cpu?.period}` },
    ],
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/burst', cpu?.burst),
    v1: plain('cpu.cfs_burst_us'),
    v2: plain('cpu.max.burst'),
  }),
  row({
    controller: 'cpu',
    items: ({ cpu }) => number('cpu/idle', cpu?.idle),
    v1: plain('cpu.idle'),
    v2: plain('cpu.idle'),
  }),
];

const cpuset: readonly Writer[] = [
  row({
    controller: 'cpuset',
    items: ({ cpu }) => text('cpu/cpus', cpu?.cpus),
    v1: plain('cpuset.cpus'),
    v2: plain('cpuset.cpus'),
  }),
  row({
    controller: 'cpuset',
    items: ({ cpu }) => text('cpu/mems', cpu?.mems),
    v1: plain('cpuset.mems'),
    v2: plain('cpuset.mems'),
  }),
];

const pids: readonly Writer[] = [
  row({
    controller: 'pids',
    items: ({ pids }) => exact('pids/limit', pids?.limit),
    v1: limit('pids.max'),
    v2: limit('pids.max'),
    dispensable: (value) => value < 0,
  }),
];

/** `8:0 `, for lines of block devices. */
const device = ({ major, minor }: { major: Int64; minor: Int64 }): string => `${major}:${minor}`;

const throttle = (list: keyof BlockIOResources & `throttle${string}`, v1: string, v2: string): Writer =>
  row<ThrottleDevice>({
    controller: 'blkio',
    controllerV2: 'io',
    items: ({ blockIO }) => listed(`blockIO/${list}`, blockIO?.[list]),
    v1: (throttled) => [{ file: `blkio.throttle.${v1}`, value: `${device(throttled)} ${throttled.rate}` }],
    // A rate of zero is none on v1.
    v2: (throttled) => [
      {
        file: 'io.max',
        value: `${device(throttled)} ${v2}=${isZero(throttled.rate) ? 'max' : throttled.rate}`,
      },
    ],
  });

/** Which scheduler weighs block devices, decides on the name of the file. */
const weighted = (prefix: string, weight: number): FileValue[] => [
  {
    file: 'io.bfq.weight',
    value: `${prefix}${weight}`,
    otherwise: { file: 'io.weight', value: `${prefix}${ioWeight(weight)}` },
  },
];

const blockIO: readonly Writer[] = [
  row({
    controller: 'blkio',
    controllerV2: 'io',
    items: ({ blockIO }) => number('blockIO/weight', blockIO?.weight),
    v1: (weight) => [
      {
        file: 'blkio.weight',
        value: String(weight),
        otherwise: { file: 'blkio.bfq.weight', value: String(weight) },
      },
    ],
    v2: (weight) => weighted('', Number(weight)),
  }),
  row({
    controller: 'blkio',
    controllerV2: 'io',
    items: ({ blockIO }) => number('blockIO/leafWeight', blockIO?.leafWeight),
    v1: plain('blkio.leaf_weight'),
    v2: `the weight of leaves: ${NOT_ON_V2}`,
  }),
  row({
    controller: 'blkio',
    controllerV2: 'io',
    items: ({ blockIO }) => listed('blockIO/weightDevice', blockIO?.weightDevice),
    v1: ({ weight = 0, leafWeight = 0, ...numbers }) => [
      ...(weight === 0
        ? []
        : [
            {
              file: 'blkio.weight_device',
              value: `${device(numbers)} ${weight}`,
              otherwise: { file: 'blkio.bfq.weight_device', value: `${device(numbers)} ${weight}` },
            },
          ]),
      ...(leafWeight === 0
        ? []
        : [{ file: 'blkio.leaf_weight_device', value: `${device(numbers)} ${leafWeight}` }]),
    ],
    v2: ({ weight = 0, leafWeight = 0, ...numbers }) => {
      if (leafWeight !== 0)
        throw unable('/linux/resources/blockIO/weightDevice', `the weight of leaves: ${NOT_ON_V2}`);
      return weight === 0 ? [] : weighted(`${device(numbers)} `, weight);
    },
  }),
  throttle('throttleReadBpsDevice', 'read_bps_device', 'rbps'),
  throttle('throttleWriteBpsDevice', 'write_bps_device', 'wbps'),
  throttle('throttleReadIOPSDevice', 'read_iops_device', 'riops'),
  throttle('throttleWriteIOPSDevice', 'write_iops_device', 'wiops'),
];

/** Reserved pages are counted apart, where the kernel does: first, for what is reserved is what will be used. */
const hugepages =
  (rsvd: string, used: string) =>
  ({ pageSize, limit: most }: { pageSize: string; limit: Int64 }): FileValue[] => [
    { file: `hugetlb.${pageSize}.${rsvd}`, value: String(most), optional: true },
    { file: `hugetlb.${pageSize}.${used}`, value: String(most) },
  ];

const others: readonly Writer[] = [
  row({
    controller: 'hugetlb',
    items: ({ hugepageLimits }) => {
      hugepageLimits?.forEach(({ pageSize }, i) => {
        if (!/^[1-9]\d*[KMG]B$/.test(pageSize))
          throw unable(
            `/linux/resources/hugepageLimits/${i}/pageSize`,
            `${JSON.stringify(pageSize)} is no page size such as 2MB`,
          );
      });
      return listed('hugepageLimits', hugepageLimits);
    },
    v1: hugepages('rsvd.limit_in_bytes', 'limit_in_bytes'),
    v2: hugepages('rsvd.max', 'max'),
    dispensable: (value) => isZero(value.limit),
  }),
  row({
    controller: 'net_cls',
    items: ({ network }) => number('network/classID', network?.classID),
    v1: plain('net_cls.classid'),
    v2: `classes of packets: ${NOT_ON_V2}`,
  }),
  row({
    controller: 'net_prio',
    items: ({ network }) => listed('network/priorities', network?.priorities),
    v1: ({ name, priority }) => [{ file: 'net_prio.ifpriomap', value: `${name} ${priority}` }],
    v2: `priorities of packets: ${NOT_ON_V2}`,
  }),
  row({
    controller: 'rdma',
    items: ({ rdma }) =>
      Object.entries(rdma ?? {}).map(([name, limits]) => [
        `rdma/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        { name, ...limits },
      ]),
    v1: rdma,
    v2: rdma,
  }),
];

function rdma(limits: { name: string; hcaHandles?: number; hcaObjects?: number }): FileValue[] {
  const { name, hcaHandles, hcaObjects } = limits;
  const parts = [
    ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
    ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
  ];
  return parts.length === 0 ? [] : [{ file: 'rdma.max', value: [name, ...parts].join(' ') }];
}

const UNIFIED = 'unified';

/** Raw files of v2, a line a write: they are the config's own business, known to us or not. */
const unified: Writer = ({ unified = {} }, { version, hierarchyOf }) =>
  Object.entries(unified).flatMap(([file, value]) => {
    const from = `/linux/resources/${UNIFIED}/${file.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (version === 1)
      throw unable(from, 'invalid configuration: unified is for cgroup v2, and this host has v1');
    if (file === '' || file === '.' || file === '..' || file.includes('/'))
      throw unable(from, `invalid configuration: ${JSON.stringify(file)} is not the name of a file`);
    const controller = file.split('.')[0]!;
    const controllers = controller === 'cgroup' ? '' : hierarchyOf(controller);
    if (controllers === undefined)
      throw unable(from, `invalid configuration: cgroup controller ${controller} is not there`);
    return value
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => ({ controllers, file, value: line, what: `set ${file} to ${line}`, from }));
  });

const WRITERS: readonly Writer[] = [...cpuset, ...memory, ...cpu, ...pids, ...blockIO, ...others, unified];

/**
 * What to write for linux.resources, in the order for a new cgroup (whose limits are none): `update` sorts by what is
 * there.
 * @param available the controllers of the unified hierarchy, as its cgroup.controllers lists them
 * @throws TinyrunError CONFIG for what this host cannot do
 */
export function resourceWrites(
  resources: Resources,
  hierarchies: readonly Pick<CgroupHierarchy, 'controllers'>[],
  available: readonly string[],
): CgroupWrite[] {
  const version = isUnified(hierarchies) ? 2 : 1;
  const hierarchyOf = (controller: string): string | undefined => {
    if (version === 2) return available.includes(controller) ? '' : undefined;
    return hierarchies.find(({ controllers }) => controllers.split(',').includes(controller))?.controllers;
  };
  return WRITERS.flatMap((writer) => writer(resources, { version, hierarchyOf }));
}

/** What is accepted and not applied, as runc: said once, when planning. */
export function resourceWarnings({ memory }: Resources): string[] {
  return (['kernel', 'kernelTCP'] as const).flatMap((field) =>
    isZero(memory?.[field] ?? 0)
      ? []
      : [`/linux/resources/memory/${field} is ignored: the kernel counts its memory with the rest`],
  );
}
