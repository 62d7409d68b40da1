// Checks the `linux` object but for its resources, and what of the config depends on its namespaces. OCI
// config-linux.md, from "Namespaces" to "Personality".
import { type Checker, INT64, pointerTo, type Range, show, UINT32 } from './checker.ts';
import type { Json } from './json.ts';
import { sysctlNamespace, sysctlPath } from './sysctl.ts';
import { checkIntelRdt, checkMemoryPolicy, checkResources, checkSeccomp } from './validate-resources.ts';

export const NAMESPACES = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'];
const PROPAGATIONS = [
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
  'unbindable',
  'runbindable',
];
/** The runtime's own network namespace under its best known names. */
const HOST_NETWORK = ['/proc/self/ns/net', '/proc/thread-self/ns/net', '/proc/1/ns/net'];
const MAJOR: Range = { min: 0, max: 0xfff, what: 'a major device number (0 to 4095)' };
const MINOR: Range = { min: 0, max: 0xfffff, what: 'a minor device number (0 to 1048575)' };

/** The namespaces that the container does not share with the runtime: type -> path, empty for a new one. */
export type Namespaces = ReadonlyMap<string, string>;

/** Checks `linux` and the fields that need a namespace; gives the namespaces back. */
export function checkLinux(checker: Checker, config: Json): Namespaces {
  const linux = checker.object(config, '', 'linux') ?? {};
  const namespaces = checkNamespaces(checker, linux);
  checkNames(checker, config, namespaces);
  checkUserNamespace(checker, linux, namespaces);
  checkTimeOffsets(checker, linux, namespaces);
  checkSysctl(checker, linux, namespaces);
  checkHiddenPaths(checker, linux);
  checkDevices(checker, linux);
  checkNetDevices(checker, linux, namespaces);
  checkCgroupsPath(checker, linux);
  checker.oneOf(linux, '/linux', 'rootfsPropagation', PROPAGATIONS);
  checker.string(linux, '/linux', 'mountLabel');
  checkPersonality(checker, linux);
  checkResources(checker, linux);
  checkIntelRdt(checker, linux);
  checkMemoryPolicy(checker, linux);
  checkSeccomp(checker, linux);
  return namespaces;
}

function checkNamespaces(checker: Checker, linux: Json): Namespaces {
  const namespaces = new Map<string, string>();
  checker.objects(linux, '/linux', 'namespaces', (namespace, at) => {
    const type = checker.required(namespace, at, 'type')
      ? checker.oneOf(namespace, at, 'type', NAMESPACES)
      : undefined;
    const path = namespace['path'] === '' ? '' : (checker.absolutePath(namespace, at, 'path') ?? '');
    if (type === undefined) return;
    // As the spec and runc; crun takes the first one.
    if (namespaces.has(type)) checker.fail(`${at}/type`, `${show(type)} is given twice`, type);
    else namespaces.set(type, path);
  });
  return namespaces;
}

/** hostname and domainname: the kernel keeps at most 64 bytes of each (__NEW_UTS_LEN). */
function checkNames(checker: Checker, config: Json, namespaces: Namespaces): void {
  for (const key of ['hostname', 'domainname']) {
    const name = checker.string(config, '', key);
    if (!name) continue;
    if (!namespaces.has('uts'))
      checker.fail(`/${key}`, `${show(name)} cannot be set without a uts namespace`, name);
    // 21 UTF-16 units are at most 63 bytes; making a TextEncoder is dear.
    if (name.length > 21 && new TextEncoder().encode(name).length > 64)
      checker.fail(`/${key}`, `${show(name)} is longer than 64 bytes`, name);
  }
}

/** Checks one list of mappings: the ranges that the kernel takes (user_namespaces(7)). Returns their number. */
export function checkMappings(checker: Checker, of: Json, at: string, key: string): number {
  checker.objects(of, at, key, (mapping, at) => {
    for (const id of ['containerID', 'hostID', 'size'])
      if (checker.required(mapping, at, id)) checker.integer(mapping, at, id, UINT32);
    const { size } = mapping;
    if (size === 0) checker.fail(`${at}/size`, '0 maps nothing', size);
    for (const id of ['containerID', 'hostID']) {
      const first = mapping[id];
      // 4294967295 itself is no id.
      if (typeof first === 'number' && typeof size === 'number' && first + size > 0xffffffff)
        checker.fail(`${at}/${id}`, `${first} and ${size - 1} more leave the range of 32-bit ids`, first);
    }
  });
  return checker.countOf(of, key);
}

function checkUserNamespace(checker: Checker, linux: Json, namespaces: Namespaces): void {
  for (const key of ['uidMappings', 'gidMappings']) {
    const count = checkMappings(checker, linux, '/linux', key);
    // runc and crun ignore these mappings, and the container runs as the host's root, which is not what was asked for.
    if (count > 0 && !namespaces.has('user')) checker.fail(`/linux/${key}`, 'needs a user namespace');
    if (count === 0 && namespaces.get('user') === '')
      checker.fail(`/linux/${key}`, 'is missing: a new user namespace needs it');
  }
}

function checkTimeOffsets(checker: Checker, linux: Json, namespaces: Namespaces): void {
  const offsets = checker.object(linux, '/linux', 'timeOffsets');
  if (offsets === undefined) return;
  for (const clock of Object.keys(offsets)) {
    const at = pointerTo('/linux/timeOffsets', clock);
    if (clock !== 'monotonic' && clock !== 'boottime')
      checker.fail(at, `${show(clock)} is not a clock of time namespaces: monotonic, boottime`);
    const offset = checker.object(offsets, '/linux/timeOffsets', clock);
    if (offset === undefined) continue;
    checker.integer(offset, at, 'secs', INT64);
    checker.integer(offset, at, 'nanosecs', { min: 0, max: 999_999_999, what: 'from 0 to 999999999' });
    const path = namespaces.get('time');
    if (path === undefined) checker.fail(at, 'needs a time namespace');
    else if (path !== '') checker.fail(at, `cannot be set: the time namespace ${path} is joined, not new`);
  }
}

function checkSysctl(checker: Checker, linux: Json, namespaces: Namespaces): void {
  for (const [key] of checker.stringMap(linux, '/linux', 'sysctl')) {
    const problem = sysctlProblem(key, namespaces);
    if (problem !== undefined) checker.fail(pointerTo('/linux/sysctl', key), problem);
  }
}

function sysctlProblem(key: string, namespaces: Namespaces): string | undefined {
  const path = sysctlPath(key);
  if (path === undefined) return `${show(key)} is not the name of a sysctl`;
  const owner = sysctlNamespace(path);
  if (owner === undefined) return `${key} is in no namespace, it would change the whole host`;
  const namespace = namespaces.get(owner);
  if (namespace === undefined) return `${key} needs ${owner === 'ipc' ? 'an' : 'a'} ${owner} namespace`;
  if (owner === 'network' && HOST_NETWORK.includes(namespace))
    return `${key} needs a network namespace other than the host's`;
  return path === 'kernel/hostname' ? `${key} is set by the field hostname instead` : undefined;
}

function checkHiddenPaths(checker: Checker, linux: Json): void {
  for (const key of ['maskedPaths', 'readonlyPaths']) {
    const paths = checker.strings(linux, '/linux', key);
    for (let i = 0; i < paths.length; i++) {
      const path = paths[i]!;
      if (!path.startsWith('/'))
        checker.fail(`/linux/${key}/${i}`, `${show(path)} is not an absolute path`, path);
      else if (path.split('/').every((part) => part === '' || part === '.' || part === '..'))
        checker.fail(`/linux/${key}/${i}`, `${show(path)} is the rootfs itself; see /root/readonly`, path);
    }
  }
}

function checkDevices(checker: Checker, linux: Json): void {
  checker.objects(linux, '/linux', 'devices', (device, at) => {
    const type = checker.required(device, at, 'type')
      ? checker.oneOf(device, at, 'type', ['c', 'b', 'u', 'p'])
      : undefined;
    if (checker.required(device, at, 'path')) checker.absolutePath(device, at, 'path');
    if (type !== 'p') {
      // runc and crun take a missing number for 0.
      if (checker.required(device, at, 'major')) checker.integer(device, at, 'major', MAJOR);
      if (checker.required(device, at, 'minor')) checker.integer(device, at, 'minor', MINOR);
    }
    // Podman's modes have the type's bits too: 8576 is 020600.
    checker.integer(device, at, 'fileMode', { min: 0, max: 0o177777, what: 'a file mode' });
    checker.id(device, at, 'uid');
    checker.id(device, at, 'gid');
  });
}

function checkNetDevices(checker: Checker, linux: Json, namespaces: Namespaces): void {
  const devices = checker.object(linux, '/linux', 'netDevices');
  if (devices === undefined) return;
  const names = new Set<string>();
  for (const key of Object.keys(devices)) {
    const at = pointerTo('/linux/netDevices', key);
    const device = checker.object(devices, '/linux/netDevices', key) ?? {};
    const name = checker.string(device, at, 'name') || key; // empty is absent, as Go writes it
    for (const interfaceName of new Set([key, name])) {
      if (!/^[^\s/:]{1,15}$/.test(interfaceName) || interfaceName === '.' || interfaceName === '..')
        checker.fail(at, `${show(interfaceName)} is not the name of a network interface`, interfaceName);
    }
    if (!name.includes('%d') && names.has(name))
      checker.fail(at, `the name ${show(name)} is given twice`, name);
    names.add(name);
    if (!namespaces.has('network')) checker.fail(at, 'needs a network namespace');
  }
}

function checkCgroupsPath(checker: Checker, linux: Json): void {
  const path = checker.string(linux, '/linux', 'cgroupsPath');
  // runc and crun resolve `..` in the text; the spec lets a runtime refuse a path, and this one can only be a mistake.
  if (`/${path}/`.includes('/../'))
    checker.fail('/linux/cgroupsPath', `${show(path)} leads out of its parent by ..`, path);
}

function checkPersonality(checker: Checker, linux: Json): void {
  const personality = checker.object(linux, '/linux', 'personality');
  if (personality === undefined) return;
  const at = '/linux/personality';
  if (checker.required(personality, at, 'domain'))
    checker.oneOf(personality, at, 'domain', ['LINUX', 'LINUX32']);
  // runc and crun skip them. The spec has the field, and no flag to put into it.
  for (const flag of checker.strings(personality, at, 'flags'))
    checker.fail(`${at}/flags`, `${show(flag)}: the spec defines no flags`, flag);
}
