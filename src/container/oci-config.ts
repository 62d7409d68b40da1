// A container's record and what the host says at its start -> config.json, by Docker's rules. It is the whole of the container
// but for what its layer and its volumes are, which the runtime is told beside it. Pure.

import type {
  CapabilitySets,
  Config,
  Device,
  DeviceRule,
  Linux,
  Namespace,
  Resources,
  Seccomp,
} from '../oci/config.ts';
import { OCI_VERSION } from '../oci/version.ts';
import { grantedCapabilities } from './capability.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import {
  DEFAULT_PATH,
  defaultMounts,
  HOST_SHM,
  MASKED_PATHS,
  NETWORK_SYSCTLS,
  READONLY_PATHS,
  shmMount,
} from './defaults.ts';
import { commandOf, mergeEnvironment } from './merge-config.ts';
import type { ContainerRecord } from './record.ts';
import type { SecurityOptions } from './security-opt.ts';
import type { ResolvedUser } from './user.ts';

/** What is known only when it starts. */
export interface StartFacts {
  /** Directory on which its overlay would be mounted: what the state calls its rootfs. */
  merged: string;
  user: ResolvedUser;
  /** Namespaces of other containers that it joins, and the host's that it stays in (`undefined`). */
  joined: Readonly<Partial<Record<Namespace['type'], string | undefined>>>;
  /** Devices of --device, and all of the host's for a privileged container; with who may do what. */
  devices: readonly { device: Device; access: string }[];
  /** Capabilities that the host can grant. */
  capabilities: readonly string[];
  security: SecurityOptions;
  /** undefined: everything is allowed. */
  seccomp: Seccomp | undefined;
  /** Paths of sysfs that betray the processor's temperature: CVE-2025-52881's kin. */
  hostMaskedPaths: readonly string[];
}

/** What the runtime is given to run the container. */
export function toOciConfig(record: ContainerRecord, facts: StartFacts): Config {
  const { config, hostConfig } = record;
  const { user, security } = facts;
  return {
    ociVersion: OCI_VERSION,
    root: { path: facts.merged, readonly: hostConfig.ReadonlyRootfs },
    process: {
      terminal: config.Tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: commandOf(config),
      env: environmentOf(config, user.home),
      cwd: config.WorkingDir || '/',
      capabilities: capabilitySets(hostConfig, facts.capabilities),
      noNewPrivileges: security.noNewPrivileges,
      ...(security.apparmor === undefined ? {} : { apparmorProfile: security.apparmor }),
      ...(hostConfig.OomScoreAdj === 0 ? {} : { oomScoreAdj: hostConfig.OomScoreAdj }),
      ...(hostConfig.Ulimits.length === 0 ? {} : { rlimits: hostConfig.Ulimits.map(toRlimit) }),
    },
    ...('uts' in facts.joined ? {} : { hostname: config.Hostname }),
    ...('uts' in facts.joined || config.Domainname === '' ? {} : { domainname: config.Domainname }),
    mounts: [...defaultMounts(hostConfig.Privileged || security.writableCgroups), ...shm(hostConfig)],
    ...(Object.keys(hostConfig.Annotations).length === 0 ? {} : { annotations: hostConfig.Annotations }),
    linux: linuxOf(record, facts),
  };
}

/** What an image and flags set stands above what every container has; HOME is only for who has not set it. */
export function environmentOf(
  config: Pick<ContainerConfig, 'Env' | 'Hostname' | 'Tty'>,
  home: string,
): string[] {
  const base = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${config.Hostname}`, ...(config.Tty ? ['TERM=xterm'] : [])];
  return mergeEnvironment(mergeEnvironment(base, config.Env), [
    ...(hasHome(config.Env) ? [] : [`HOME=${home}`]),
  ]);
}

const hasHome = (env: readonly string[]): boolean => env.some((entry) => entry.startsWith('HOME='));

/** Inheritable and ambient ones are none: CVE-2022-24769. */
function capabilitySets(
  { CapAdd, CapDrop, Privileged }: HostConfig,
  known: readonly string[],
): CapabilitySets {
  const granted = grantedCapabilities(CapAdd, CapDrop, Privileged, known);
  return { bounding: granted, effective: [...granted], permitted: [...granted] };
}

const toRlimit = ({ Name, Soft, Hard }: HostConfig['Ulimits'][number]) => ({
  type: `RLIMIT_${Name.toUpperCase()}`,
  soft: toLimit(Soft),
  hard: toLimit(Hard),
});

/** RLIM_INFINITY: `-1` on the command line. */
const toLimit = (value: number): number | bigint => (value < 0 ? 0xffffffffffffffffn : value);

function shm({ IpcMode, ShmSize }: HostConfig) {
  if (IpcMode === 'none') return [];
  return [IpcMode === 'host' ? HOST_SHM : shmMount(ShmSize)];
}

function linuxOf({ id, hostConfig }: ContainerRecord, facts: StartFacts): Linux {
  const { Privileged, CgroupParent, NetworkMode, Sysctls } = hostConfig;
  const { security, seccomp, devices } = facts;
  const open = Privileged || security.openPaths;
  return {
    namespaces: namespacesOf(hostConfig, facts.joined),
    resources: { ...resourcesOf(hostConfig), devices: deviceRules(Privileged, devices) },
    sysctl: { ...(NetworkMode === 'none' ? NETWORK_SYSCTLS : {}), ...Sysctls },
    ...(devices.length === 0 ? {} : { devices: devices.map(({ device }) => device) }),
    ...(CgroupParent === '' ? {} : { cgroupsPath: cgroupsPath(CgroupParent, id) }),
    ...(seccomp === undefined ? {} : { seccomp }),
    maskedPaths: open ? [] : [...MASKED_PATHS, ...facts.hostMaskedPaths],
    readonlyPaths: open ? [] : [...READONLY_PATHS],
  };
}

/** A slice of systemd's, or a directory that all of its containers are in. */
const cgroupsPath = (parent: string, id: string): string =>
  parent.endsWith('.slice')
    ? `${parent}:tinyrun:${id}`
    : `${parent.startsWith('/') ? '' : '/'}${parent}/${id}`;

function namespacesOf({ CgroupnsMode }: HostConfig, joined: StartFacts['joined']): Namespace[] {
  const types: Namespace['type'][] = ['pid', 'network', 'ipc', 'uts', 'mount'];
  if (CgroupnsMode === 'private') types.push('cgroup');
  return types.flatMap((type) => {
    if (!(type in joined)) return [{ type }];
    const path = joined[type];
    return path === undefined ? [] : [{ type, path }];
  });
}

/** All devices are forbidden at first; what every container may use is added by the runtime. */
function deviceRules(privileged: boolean, devices: StartFacts['devices']): DeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }];
  return [
    { allow: false, access: 'rwm' },
    ...devices.map(({ device: { type, major, minor }, access }) => ({
      allow: true,
      type,
      ...(major === undefined ? {} : { major }),
      ...(minor === undefined ? {} : { minor }),
      access,
    })),
  ];
}

/** Microseconds: Docker's period. */
const CPU_PERIOD = 100_000;

function resourcesOf(host: HostConfig): Resources {
  const memory = {
    ...(host.Memory === 0 ? {} : { limit: host.Memory }),
    ...(host.MemoryReservation === 0 ? {} : { reservation: host.MemoryReservation }),
    ...(host.MemorySwap === 0 ? {} : { swap: host.MemorySwap }),
    ...(host.MemorySwappiness === null ? {} : { swappiness: host.MemorySwappiness }),
  };
  const cpu = {
    ...(host.CpuShares === 0 ? {} : { shares: host.CpuShares }),
    ...(host.NanoCpus === 0
      ? {}
      : { period: CPU_PERIOD, quota: Math.round((host.NanoCpus * CPU_PERIOD) / 1e9) }),
    ...(host.CpusetCpus === '' ? {} : { cpus: host.CpusetCpus }),
    ...(host.CpusetMems === '' ? {} : { mems: host.CpusetMems }),
  };
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
    ...(host.BlkioWeight === 0 ? {} : { blockIO: { weight: host.BlkioWeight } }),
  };
}
