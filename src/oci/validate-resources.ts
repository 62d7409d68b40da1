// Checks the types of what is for the cgroup, for seccomp and for the resource control of CPUs and memory nodes. Whether
// the names in it are known (system calls, actions, controllers) is said by who compiles them. OCI config-linux.md,
// "Control groups" to "Unified", "IntelRdt", "memoryPolicy", "Seccomp".
import { type Checker, INT64, pointerTo, type Range, show, UINT16, UINT32, UINT64 } from './checker.ts';
import { isIdList } from './id-list.ts';
import type { Json } from './json.ts';

export const MEMORY_MODES = [
  'MPOL_DEFAULT',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_WEIGHTED_INTERLEAVE',
  'MPOL_PREFERRED',
  'MPOL_PREFERRED_MANY',
  'MPOL_LOCAL',
];
const NODELESS = ['MPOL_DEFAULT', 'MPOL_LOCAL', 'MPOL_PREFERRED'];
export const MEMORY_FLAGS = ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'];
const THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
];

/** Checks `linux.resources`; `update` reads the same object from a file, with `of` around it. */
export function checkResources(checker: Checker, of: Json, parent = '/linux'): void {
  const resources = checker.object(of, parent, 'resources');
  if (resources === undefined) return;
  const at = `${parent}/resources`;
  checkDeviceRules(checker, resources, at);
  checkMemory(checker, resources, at);
  checkCpu(checker, resources, at);
  const pids = checker.object(resources, at, 'pids');
  if (pids !== undefined) checker.integer(pids, `${at}/pids`, 'limit', INT64);
  checkBlockIO(checker, resources, at);
  checker.objects(resources, at, 'hugepageLimits', (limit, at) => {
    if (checker.required(limit, at, 'pageSize')) checker.string(limit, at, 'pageSize');
    if (checker.required(limit, at, 'limit')) checker.integer(limit, at, 'limit', UINT64);
  });
  checkNetwork(checker, resources, at);
  checkRdma(checker, resources, at);
  checker.stringMap(resources, at, 'unified');
}

function checkDeviceRules(checker: Checker, resources: Json, at: string): void {
  checker.objects(resources, at, 'devices', (rule, at) => {
    if (checker.required(rule, at, 'allow')) checker.boolean(rule, at, 'allow');
    if (rule['type'] !== '') checker.oneOf(rule, at, 'type', ['a', 'b', 'c']);
    // -1 is "any", as Docker writes it.
    checker.integer(rule, at, 'major', INT64);
    checker.integer(rule, at, 'minor', INT64);
    const access = checker.string(rule, at, 'access');
    for (const letter of access ?? '') {
      if (!'rwm'.includes(letter))
        checker.fail(`${at}/access`, `${show(access)} has ${show(letter)}, it may have r, w and m`, access);
    }
  });
}

/** Of memory; -1 is none, and less is a mistake: the kernel takes it for none at one place and refuses it at another. */
const LIMIT: Range = { ...INT64, min: -1, what: 'a 64-bit integer from -1 on' };

function checkMemory(checker: Checker, resources: Json, resourcesAt: string): void {
  const memory = checker.object(resources, resourcesAt, 'memory');
  if (memory === undefined) return;
  const at = `${resourcesAt}/memory`;
  for (const key of ['limit', 'reservation', 'swap']) checker.integer(memory, at, key, LIMIT);
  for (const key of ['kernel', 'kernelTCP']) checker.integer(memory, at, key, INT64);
  // runc and crun take any 64-bit number here; the kernel only 0 to 100, or Docker's "unset", which is 2^64-1.
  checker.integer(memory, at, 'swappiness', UINT64);
  for (const key of ['disableOOMKiller', 'useHierarchy', 'checkBeforeUpdate'])
    checker.boolean(memory, at, key);
}

function checkCpu(checker: Checker, resources: Json, resourcesAt: string): void {
  const cpu = checker.object(resources, resourcesAt, 'cpu');
  if (cpu === undefined) return;
  const at = `${resourcesAt}/cpu`;
  for (const key of ['shares', 'burst', 'period', 'realtimePeriod']) checker.integer(cpu, at, key, UINT64);
  for (const key of ['quota', 'realtimeRuntime', 'idle']) checker.integer(cpu, at, key, INT64);
  for (const key of ['cpus', 'mems']) checker.string(cpu, at, key);
}

function checkBlockIO(checker: Checker, resources: Json, resourcesAt: string): void {
  const blockIO = checker.object(resources, resourcesAt, 'blockIO');
  if (blockIO === undefined) return;
  const at = `${resourcesAt}/blockIO`;
  const numbers = (device: Json, at: string) => {
    for (const key of ['major', 'minor'])
      if (checker.required(device, at, key)) checker.integer(device, at, key, INT64);
  };
  const weights = (of: Json, at: string) => {
    for (const key of ['weight', 'leafWeight']) checker.integer(of, at, key, UINT16);
  };
  weights(blockIO, at);
  checker.objects(blockIO, at, 'weightDevice', (device, at) => {
    numbers(device, at);
    weights(device, at);
  });
  for (const list of THROTTLES) {
    checker.objects(blockIO, at, list, (device, at) => {
      numbers(device, at);
      if (checker.required(device, at, 'rate')) checker.integer(device, at, 'rate', UINT64);
    });
  }
}

function checkNetwork(checker: Checker, resources: Json, resourcesAt: string): void {
  const network = checker.object(resources, resourcesAt, 'network');
  if (network === undefined) return;
  const at = `${resourcesAt}/network`;
  checker.integer(network, at, 'classID', UINT32);
  checker.objects(network, at, 'priorities', (priority, at) => {
    if (checker.required(priority, at, 'name')) checker.string(priority, at, 'name');
    if (checker.required(priority, at, 'priority')) checker.integer(priority, at, 'priority', UINT32);
  });
}

function checkRdma(checker: Checker, resources: Json, resourcesAt: string): void {
  const rdma = checker.object(resources, resourcesAt, 'rdma') ?? {};
  for (const name of Object.keys(rdma)) {
    const at = pointerTo(`${resourcesAt}/rdma`, name);
    const limits = checker.object(rdma, `${resourcesAt}/rdma`, name) ?? {};
    for (const key of ['hcaHandles', 'hcaObjects']) checker.integer(limits, at, key, UINT32);
  }
}

/** Checks `linux.intelRdt`. */
export function checkIntelRdt(checker: Checker, linux: Json): void {
  const rdt = checker.object(linux, '/linux', 'intelRdt');
  if (rdt === undefined) return;
  const at = '/linux/intelRdt';
  const closID = checker.string(rdt, at, 'closID');
  // It names a directory of resctrl.
  if (closID === '.' || closID === '..' || (closID !== '/' && closID?.includes('/')))
    checker.fail(`${at}/closID`, `${show(closID)} is not the name of a class`, closID);
  checker.strings(rdt, at, 'schemata');
  checker.string(rdt, at, 'l3CacheSchema');
  checker.string(rdt, at, 'memBwSchema');
  checker.boolean(rdt, at, 'enableMonitoring');
}

/** Checks `linux.memoryPolicy`, for set_mempolicy(2). */
export function checkMemoryPolicy(checker: Checker, linux: Json): void {
  const policy = checker.object(linux, '/linux', 'memoryPolicy');
  if (policy === undefined) return;
  const at = '/linux/memoryPolicy';
  if (checker.required(policy, at, 'mode')) checker.oneOf(policy, at, 'mode', MEMORY_MODES);
  checkMemoryNodes(checker, policy, at);
  checker.strings(policy, at, 'flags').forEach((flag, i) => {
    if (!MEMORY_FLAGS.includes(flag))
      checker.fail(`${at}/flags/${i}`, `${show(flag)} is not one of ${MEMORY_FLAGS.join(', ')}`, flag);
  });
}

/** Which modes want nodes the kernel knows, whose word for it is EINVAL. */
function checkMemoryNodes(checker: Checker, policy: Json, at: string): void {
  const nodes = checker.string(policy, at, 'nodes');
  const { mode } = policy;
  if (nodes !== undefined && nodes !== '') {
    if (!isIdList(nodes))
      checker.fail(`${at}/nodes`, `${show(nodes)} is not a list of nodes such as 0-3,7`, nodes);
    if (mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL')
      checker.fail(`${at}/nodes`, `${show(nodes)} is not for ${mode}, which has no nodes`, nodes);
  } else if (typeof mode === 'string' && MEMORY_MODES.includes(mode) && !NODELESS.includes(mode)) {
    checker.fail(`${at}/nodes`, `is missing: ${mode} needs it`);
  }
}

/** Checks the types in `linux.seccomp`. */
export function checkSeccomp(checker: Checker, linux: Json): void {
  const seccomp = checker.object(linux, '/linux', 'seccomp');
  if (seccomp === undefined) return;
  const at = '/linux/seccomp';
  if (checker.required(seccomp, at, 'defaultAction')) checker.string(seccomp, at, 'defaultAction');
  checker.integer(seccomp, at, 'defaultErrnoRet', UINT32);
  checker.strings(seccomp, at, 'architectures');
  checker.strings(seccomp, at, 'flags');
  checker.string(seccomp, at, 'listenerPath');
  checker.string(seccomp, at, 'listenerMetadata');
  checker.objects(seccomp, at, 'syscalls', (rule, at) => {
    // Hundreds of names: each is looked up when the filter is compiled, which is check enough.
    if (checker.required(rule, at, 'names')) checker.list(rule, at, 'names');
    if (checker.required(rule, at, 'action')) checker.string(rule, at, 'action');
    checker.integer(rule, at, 'errnoRet', UINT32);
    checker.objects(rule, at, 'args', (condition, at) => {
      if (checker.required(condition, at, 'index')) checker.integer(condition, at, 'index', UINT32);
      if (checker.required(condition, at, 'value')) checker.integer(condition, at, 'value', UINT64);
      checker.integer(condition, at, 'valueTwo', UINT64);
      if (checker.required(condition, at, 'op')) checker.string(condition, at, 'op');
    });
  });
}
