// Each field of linux.resources, on v1 and on v2.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resourceWarnings, resourceWrites } from '../../src/cgroup/resources.ts';
import type { Resources } from '../../src/oci/config.ts';

const V1 = [
  ...['cpu,cpuacct', 'memory', 'cpuset', 'pids', 'blkio', 'hugetlb', 'rdma', 'net_cls,net_prio'],
  ...['name=systemd', ''],
].map((controllers) => ({ controllers }));
const V2 = [{ controllers: '' }];
const AVAILABLE = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma'];

/** `FILE VALUE` each, with what is written in the place of a missing file; `?` is: it may be missing. */
function writes(resources: Resources, version: 1 | 2, available = AVAILABLE): string[] {
  const hierarchies = version === 1 ? V1 : V2;
  return resourceWrites(resources, hierarchies, available).map(
    ({ file, value, otherwise, optional }) =>
      `${file}${optional ? '?' : ''} ${value}${otherwise ? ` or ${otherwise.file} ${otherwise.value}` : ''}`,
  );
}

function problem(resources: Resources, version: 1 | 2, available = AVAILABLE): string {
  try {
    return `none, but ${writes(resources, version, available).join(', ')}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A string in the place of a list is the refusal behind `set /linux/resources/`. */
const ROWS: readonly [resources: Resources, v1: string[] | string, v2: string[] | string][] = [
  [{ memory: { limit: 1000 } }, ['memory.limit_in_bytes 1000'], ['memory.max 1000']],
  [
    { memory: { limit: -1 } },
    ['memory.limit_in_bytes -1', 'memory.memsw.limit_in_bytes? -1'],
    ['memory.max max', 'memory.swap.max? max'],
  ],
  [
    { memory: { limit: 1000, swap: 3000 } },
    ['memory.limit_in_bytes 1000', 'memory.memsw.limit_in_bytes 3000'],
    ['memory.max 1000', 'memory.swap.max 2000'],
  ],
  [
    { memory: { limit: 1000, swap: 1000 } },
    ['memory.limit_in_bytes 1000', 'memory.memsw.limit_in_bytes 1000'],
    ['memory.max 1000', 'memory.swap.max? 0'],
  ],
  [
    { memory: { limit: 1000, swap: -1 } },
    ['memory.limit_in_bytes 1000', 'memory.memsw.limit_in_bytes? -1'],
    ['memory.max 1000', 'memory.swap.max? max'],
  ],
  [
    { memory: { swap: 1000 } },
    ['memory.memsw.limit_in_bytes 1000'],
    'memory/swap: a limit of memory and swap needs a memory limit',
  ],
  [{ memory: { reservation: 500 } }, ['memory.soft_limit_in_bytes 500'], ['memory.low 500']],
  [{ memory: { reservation: -1 } }, ['memory.soft_limit_in_bytes -1'], ['memory.low max']],
  [
    { memory: { swappiness: 0 } },
    ['memory.swappiness 0'],
    'memory/swappiness: memory swappiness: cgroup v2 has no such thing',
  ],
  [
    { memory: { swappiness: 101 } },
    'memory/swappiness: invalid memory swappiness value: 101 (valid range is 0-100)',
    'memory/swappiness: invalid memory swappiness value: 101 (valid range is 0-100)',
  ],
  [{ memory: { swappiness: 0xffff_ffff_ffff_ffffn } }, [], []],
  [{ memory: { swappiness: -1 } }, [], []],
  [
    { memory: { disableOOMKiller: true } },
    ['memory.oom_control 1'],
    'memory/disableOOMKiller: switching the OOM killer off: cgroup v2 has no such thing',
  ],
  [{ memory: { kernel: 5, kernelTCP: 6, useHierarchy: true, checkBeforeUpdate: true } }, [], []],

  [{ cpu: { shares: 512 } }, ['cpu.shares 512'], ['cpu.weight 59']],
  [{ cpu: { quota: 2000 } }, ['cpu.cfs_quota_us 2000'], ['cpu.max 2000']],
  [{ cpu: { quota: -1 } }, ['cpu.cfs_quota_us -1'], ['cpu.max max']],
  [{ cpu: { period: 5000 } }, ['cpu.cfs_period_us 5000'], ['cpu.max max 5000']],
  [
    { cpu: { quota: 2000, period: 5000n, burst: 100 } },
    ['cpu.cfs_period_us 5000', 'cpu.cfs_quota_us 2000', 'cpu.cfs_burst_us 100'],
    ['cpu.max 2000 5000', 'cpu.max.burst 100'],
  ],
  [
    { cpu: { realtimePeriod: 1000, realtimeRuntime: 900 } },
    ['cpu.rt_period_us 1000', 'cpu.rt_runtime_us 900'],
    'cpu/realtimePeriod: realtime limits: cgroup v2 has no such thing',
  ],
  [{ cpu: { idle: 1, shares: 2 } }, ['cpu.shares 2', 'cpu.idle 1'], ['cpu.weight 1', 'cpu.idle 1']],
  [{ cpu: { idle: 0, shares: 2 } }, ['cpu.idle? 0', 'cpu.shares 2'], ['cpu.idle? 0', 'cpu.weight 1']],
  [
    { cpu: { cpus: '0-1', mems: '0' } },
    ['cpuset.cpus 0-1', 'cpuset.mems 0'],
    ['cpuset.cpus 0-1', 'cpuset.mems 0'],
  ],

  [{ pids: { limit: 9 } }, ['pids.max 9'], ['pids.max 9']],
  [{ pids: { limit: -1 } }, ['pids.max max'], ['pids.max max']],
  [{ pids: { limit: 0 } }, ['pids.max 0'], ['pids.max 0']],

  [
    { blockIO: { weight: 100 } },
    ['blkio.weight 100 or blkio.bfq.weight 100'],
    ['io.bfq.weight 100 or io.weight 910'],
  ],
  [
    { blockIO: { leafWeight: 100 } },
    ['blkio.leaf_weight 100'],
    'blockIO/leafWeight: the weight of leaves: cgroup v2 has no such thing',
  ],
  [
    { blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 1000 }] } },
    ['blkio.weight_device 8:0 1000 or blkio.bfq.weight_device 8:0 1000'],
    ['io.bfq.weight 8:0 1000 or io.weight 8:0 10000'],
  ],
  [
    { blockIO: { weightDevice: [{ major: 8, minor: 0, leafWeight: 10 }] } },
    ['blkio.leaf_weight_device 8:0 10'],
    'blockIO/weightDevice: the weight of leaves: cgroup v2 has no such thing',
  ],
  [
    {
      blockIO: {
        throttleReadBpsDevice: [
          { major: 8, minor: 0, rate: 1 },
          { major: 8, minor: 16, rate: 0 },
        ],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 2n }],
        throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 3 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 4 }],
      },
    },
    [
      'blkio.throttle.read_bps_device 8:0 1',
      'blkio.throttle.read_bps_device 8:16 0',
      'blkio.throttle.write_bps_device 8:0 2',
      'blkio.throttle.read_iops_device 8:0 3',
      'blkio.throttle.write_iops_device 8:0 4',
    ],
    [
      'io.max 8:0 rbps=1',
      'io.max 8:16 rbps=max',
      'io.max 8:0 wbps=2',
      'io.max 8:0 riops=3',
      'io.max 8:0 wiops=4',
    ],
  ],

  [
    { hugepageLimits: [{ pageSize: '2MB', limit: 4096 }] },
    ['hugetlb.2MB.rsvd.limit_in_bytes? 4096', 'hugetlb.2MB.limit_in_bytes 4096'],
    ['hugetlb.2MB.rsvd.max? 4096', 'hugetlb.2MB.max 4096'],
  ],
  [
    { hugepageLimits: [{ pageSize: '../2MB', limit: 1 }] },
    'hugepageLimits/0/pageSize: "../2MB" is no page size such as 2MB',
    'hugepageLimits/0/pageSize: "../2MB" is no page size such as 2MB',
  ],
  [
    { network: { classID: 0x100001 } },
    ['net_cls.classid 1048577'],
    'network/classID: classes of packets: cgroup v2 has no such thing',
  ],
  [
    { network: { priorities: [{ name: 'eth0', priority: 5 }] } },
    ['net_prio.ifpriomap eth0 5'],
    'network/priorities/0: priorities of packets: cgroup v2 has no such thing',
  ],
  [
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10 }, 'a/b': { hcaObjects: 0 }, none: {} } },
    ['rdma.max mlx5_1 hca_handle=3 hca_object=10', 'rdma.max a/b hca_object=0'],
    ['rdma.max mlx5_1 hca_handle=3 hca_object=10', 'rdma.max a/b hca_object=0'],
  ],
  [
    { unified: { 'memory.high': '5', 'cgroup.max.depth': '3', 'io.max': '8:0 rbps=1\n8:16 wbps=2\n' } },
    'unified/memory.high: invalid configuration: unified is for cgroup v2, and this host has v1',
    ['memory.high 5', 'cgroup.max.depth 3', 'io.max 8:0 rbps=1', 'io.max 8:16 wbps=2'],
  ],
  [
    { unified: { 'a/../b': '1' } },
    'unified/a~1..~1b: invalid configuration: unified is for cgroup v2, and this host has v1',
    'unified/a~1..~1b: invalid configuration: "a/../b" is not the name of a file',
  ],
  [
    { unified: { 'misc.max': '1' } },
    'unified/misc.max: invalid configuration: unified is for cgroup v2, and this host has v1',
    'unified/misc.max: invalid configuration: cgroup controller misc is not there',
  ],
];

for (const [resources, v1, v2] of ROWS) {
  const text = JSON.stringify(resources, (_key, value) => (typeof value === 'bigint' ? `${value}` : value));
  for (const [version, expected] of [
    [1, v1],
    [2, v2],
  ] as const)
    test(`v${version}: ${text}`, () => {
      if (typeof expected === 'string')
        assert.is(problem(resources, version), `set /linux/resources/${expected}`);
      else assert.equal(writes(resources, version), expected);
    });
}

test('the zeros that engines write are left alone, whatever controllers there are', () => {
  const zeros: Resources = {
    memory: { limit: 0, reservation: 0n, swap: 0, kernel: 0, kernelTCP: 0, disableOOMKiller: false },
    cpu: {
      shares: 0,
      quota: 0,
      period: 0,
      burst: 0,
      realtimePeriod: 0,
      realtimeRuntime: 0,
      cpus: '',
      mems: '',
    },
    blockIO: { weight: 0, leafWeight: 0, weightDevice: [], throttleReadBpsDevice: [] },
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    network: { classID: 0, priorities: [] },
    rdma: {},
    unified: {},
    devices: [],
  };
  assert.equal(resourceWrites(zeros, [{ controllers: 'name=systemd' }], []), []);
  assert.equal(resourceWrites(zeros, V2, []), []);
  assert.equal(resourceWrites({}, V2, []), []);
});

test('a controller that is not there is named with the field', () => {
  const limits = { hugepageLimits: [{ pageSize: '2MB', limit: 5 }] };
  const missing = 'set /linux/resources/hugepageLimits/0: cgroup controller hugetlb is not there';
  assert.is(problem(limits, 2, ['cpu']), missing);
  assert.throws(() => resourceWrites(limits, [{ controllers: 'cpu,cpuacct' }], []), missing);
  assert.is(
    problem({ blockIO: { weight: 5 } }, 2, []),
    'set /linux/resources/blockIO/weight: cgroup controller io is not there',
  );
  assert.equal(writes({ pids: { limit: -1 } }, 2, []), [], 'no limit is no loss');
});

test('each write tells its hierarchy, what it does, and where it comes from', () => {
  const [write] = resourceWrites({ cpu: { shares: 5 } }, V1, []);
  assert.equal(write, {
    controllers: 'cpu,cpuacct',
    file: 'cpu.shares',
    value: '5',
    what: 'set cpu.shares to 5',
    from: '/linux/resources/cpu/shares',
  });
});

test('kernel memory is ignored with a warning', () => {
  assert.equal(resourceWarnings({}), []);
  assert.equal(resourceWarnings({ memory: { kernel: 0, limit: 5 } }), []);
  assert.equal(
    resourceWarnings({ memory: { kernel: 1, kernelTCP: -1 } }).map((words) => words.split(':')[0]),
    ['/linux/resources/memory/kernel is ignored', '/linux/resources/memory/kernelTCP is ignored'],
  );
});

test.run();
