// The types of config.json, in the order of the OCI runtime-spec 1.3: config.md, then config-linux.md. Names are the
// spec's, without its `Linux` prefix where nothing else has that name. Only types: what they must hold is validate.ts.
//
// Absent is `undefined`, never null: engines write null for empty lists and objects, and validateConfig deletes such fields
// as it meets them, so that nobody after it has to think of them (a walk of its own took a millisecond of every start).
// Fields for other platforms are left out; validate.ts refuses their sections.

/** An integer of up to 64 bits: a bigint where a double would lose bits (above 2^53), as parse.ts reads it. */
export type Int64 = number | bigint;

export interface Config {
  ociVersion: string;
  root: Root;
  mounts?: Mount[];
  /** Optional in the spec until `start`; required here, as by runc, since create plans the whole container. */
  process: Process;
  hostname?: string;
  domainname?: string;
  hooks?: Hooks;
  annotations?: Record<string, string>;
  linux?: Linux;
}

export interface Root {
  /** Absolute, or relative to the bundle. */
  path: string;
  readonly?: boolean;
}

export interface Mount {
  /** Absolute; a relative one is deprecated and taken from `/`. */
  destination: string;
  type?: string;
  /** A device, a dummy, or for binds a path: absolute, or relative to the bundle. */
  source?: string;
  /** See mount-options.ts. */
  options?: string[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}

export interface Process {
  terminal?: boolean;
  /** Ignored without `terminal`. */
  consoleSize?: { height: number; width: number };
  cwd: string;
  /** `NAME=value` each. */
  env?: string[];
  args: string[];
  rlimits?: Rlimit[];
  apparmorProfile?: string;
  /** Absent: the process gets no capability at all. */
  capabilities?: CapabilitySets;
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  scheduler?: Scheduler;
  selinuxLabel?: string;
  ioPriority?: { class: string; priority: number };
  /** CPU lists like `0-3,7`, for exec'd processes only. */
  execCPUAffinity?: { initial?: string; final?: string };
  /** Absent means root, in the JSON schema and in runc and crun; so do absent ids in it. */
  user?: User;
}

export interface Rlimit {
  type: string;
  soft: Int64;
  hard: Int64;
}

export interface CapabilitySets {
  effective?: string[];
  bounding?: string[];
  inheritable?: string[];
  permitted?: string[];
  ambient?: string[];
}

/** For sched_setattr(2). */
export interface Scheduler {
  policy: string;
  nice?: number;
  priority?: number;
  flags?: string[];
  /** Nanoseconds, as deadline and period; SCHED_DEADLINE only. */
  runtime?: Int64;
  deadline?: Int64;
  period?: Int64;
}

export interface User {
  uid?: number;
  gid?: number;
  umask?: number;
  additionalGids?: number[];
}

export interface Hook {
  path: string;
  args?: string[];
  env?: string[];
  /** Seconds. */
  timeout?: number;
}

export interface Hooks {
  prestart?: Hook[];
  createRuntime?: Hook[];
  createContainer?: Hook[];
  startContainer?: Hook[];
  poststart?: Hook[];
  poststop?: Hook[];
}

export interface Linux {
  namespaces?: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  timeOffsets?: { monotonic?: TimeOffset; boottime?: TimeOffset };
  devices?: Device[];
  /** By the interface's name on the host. */
  netDevices?: Record<string, { name?: string }>;
  cgroupsPath?: string;
  resources?: Resources;
  intelRdt?: IntelRdt;
  memoryPolicy?: { mode: string; nodes?: string; flags?: string[] };
  sysctl?: Record<string, string>;
  seccomp?: Seccomp;
  rootfsPropagation?: string;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  mountLabel?: string;
  personality?: { domain: string; flags?: string[] };
}

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

export interface Namespace {
  type: NamespaceType;
  /** An existing namespace to join; absent or empty: make a new one. */
  path?: string;
}

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface TimeOffset {
  secs?: Int64;
  nanosecs?: number;
}

export interface Device {
  type: 'c' | 'b' | 'u' | 'p';
  path: string;
  major?: number;
  minor?: number;
  /** Permission bits; Podman adds the S_IFMT bits of the type. */
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface Resources {
  devices?: DeviceRule[];
  memory?: MemoryResources;
  cpu?: CpuResources;
  pids?: { limit: Int64 };
  blockIO?: BlockIOResources;
  hugepageLimits?: { pageSize: string; limit: Int64 }[];
  network?: { classID?: number; priorities?: { name: string; priority: number }[] };
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>;
  /** File name in the cgroup v2 directory to what is written there. */
  unified?: Record<string, string>;
}

export interface DeviceRule {
  allow: boolean;
  /** Absent or `a`: all. */
  type?: string;
  /** Absent or -1: any; so is `minor`. */
  major?: Int64;
  minor?: Int64;
  /** Some of the letters `rwm`, in any order. */
  access?: string;
}

/** Limits are bytes; -1 is no limit. */
export interface MemoryResources {
  limit?: Int64;
  reservation?: Int64;
  swap?: Int64;
  kernel?: Int64;
  kernelTCP?: Int64;
  swappiness?: Int64;
  disableOOMKiller?: boolean;
  useHierarchy?: boolean;
  checkBeforeUpdate?: boolean;
}

/** Times are microseconds. */
export interface CpuResources {
  shares?: Int64;
  quota?: Int64;
  burst?: Int64;
  period?: Int64;
  realtimeRuntime?: Int64;
  realtimePeriod?: Int64;
  cpus?: string;
  mems?: string;
  idle?: Int64;
}

export interface BlockIOResources {
  weight?: number;
  leafWeight?: number;
  weightDevice?: { major: Int64; minor: Int64; weight?: number; leafWeight?: number }[];
  throttleReadBpsDevice?: ThrottleDevice[];
  throttleWriteBpsDevice?: ThrottleDevice[];
  throttleReadIOPSDevice?: ThrottleDevice[];
  throttleWriteIOPSDevice?: ThrottleDevice[];
}

export interface ThrottleDevice {
  major: Int64;
  minor: Int64;
  rate: Int64;
}

export interface IntelRdt {
  closID?: string;
  schemata?: string[];
  l3CacheSchema?: string;
  memBwSchema?: string;
  enableMonitoring?: boolean;
}

export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: SeccompRule[];
}

export interface SeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SeccompCondition[];
}

export interface SeccompCondition {
  index: number;
  value: Int64;
  valueTwo?: Int64;
  op: string;
}
