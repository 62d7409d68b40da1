// A made-up host and container for tests of the planner, and a made-up kernel for the recorder: what a plan asks of
// Linux on its way, answered as on a quiet host. Nothing here depends on the machine or the time, so plans are the same
// everywhere.

import { type CgroupHierarchy, cgroupPlaces } from '../../src/cgroup/path.ts';
import { type Answers, type AskedCall, type Recording, record } from '../../src/engine/recorder.ts';
import type { Config, Hook, Hooks } from '../../src/oci/config.ts';
import { defaultConfig } from '../../src/oci/defaults.ts';
import type { HostFacts } from '../../src/plan/host.ts';
import type { KeptLayer, MonitorInput, NewLayer, OverlayInput, PlanInput } from '../../src/plan/input.ts';
import { planContainer } from '../../src/plan/plan.ts';
import { numberOps } from '../../src/program/flow.ts';
import type { CallOp, Op, Program } from '../../src/program/op.ts';
import { printOp } from '../../src/program/text.ts';
import { constants } from '../../src/sys/constants.ts';
import { errnos } from '../../src/sys/errno.ts';

/** How a test's input differs from the made-up one. */
export interface Change extends Partial<Omit<PlanInput, 'config' | 'host'>> {
  /** A config of its own, or what to change in that of `tinyrun spec` (without a terminal). */
  config?: Config | ((config: Config) => void);
  host?: Partial<HostFacts>;
}

const ALL_CAPABILITIES = (1n << 41n) - 1n; // up to CAP_CHECKPOINT_RESTORE
const SIGPIPE_AND_SIGXFSZ = (1n << 12n) | (1n << 24n); // what Bun ignores

const HOST: HostFacts = {
  arch: 'x64',
  euid: 0,
  kernel: [6, 18],
  hostname: 'host',
  capBounding: ALL_CAPABILITIES,
  sigIgnored: SIGPIPE_AND_SIGXFSZ,
  inUserNamespace: false,
  noFile: { soft: 1024, hard: 1048576 },
  cwd: '/home/user',
  now: Date.UTC(2030, 0, 2, 3, 4, 5),
};

/** Files and directories of the host, and those of the rootfs that the default config mounts on. */
const SOURCES = {
  '/srv/data': 'directory',
  '/srv/file': 'file',
  '/proc/acpi': 'directory',
  '/proc/kcore': 'file',
  '/proc/keys': 'file',
  '/proc/timer_list': 'file',
  '/sys/firmware': 'directory',
} as const;

/** A PlanInput of container `c1` in `/bundle`, run in the foreground and gone when it ends. */
export function planInput({ config, host, ...rest }: Change = {}): PlanInput {
  return {
    config: typeof config === 'object' ? config : changedConfig(config),
    host: { ...HOST, ...host },
    id: 'c1',
    bundle: '/bundle',
    configPath: '/bundle/config.json',
    lifecycle: 'foreground',
    printId: false,
    dataRoot: '/var/lib/tinyrun',
    stateRoot: '/run/tinyrun',
    rootless: undefined,
    rootfs: { kind: 'directory', path: '/bundle/rootfs' },
    flagMounts: [],
    sources: new Map(Object.entries(SOURCES)),
    present: new Set(['proc', 'dev', 'sys']),
    resolved: new Map(),
    environment: [],
    home: '/root',
    cgroups: [{ controllers: '', mountPoint: '/sys/fs/cgroup', path: '/user.slice' }],
    securityModules: [],
    resctrl: undefined,
    netDevices: [],
    cgroup: undefined,
    transient: true,
    args: undefined,
    exits: { failure: 125, notExecutable: 126, notFound: 127 },
    monitor: undefined,
    init: false,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    pidFile: undefined,
    consoleSocket: undefined,
    pidfdSocket: undefined,
    terminal: undefined,
    seccomp: undefined,
    self: ['/usr/bin/tinyrun'],
    reports: [{ reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' }],
    logFd: undefined,
    trace: undefined,
    step: undefined,
    ...rest,
  };
}

function changedConfig(change: ((config: Config) => void) | undefined): Config {
  const config = defaultConfig();
  config.process.terminal = false;
  change?.(config);
  return config;
}

/** A config with nothing in it that need not be: no mounts, no limits, no masked paths. */
export function minimalConfig(change?: (config: Config) => void): Config {
  const config: Config = {
    ociVersion: '1.3.0',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['/bin/true'], env: ['HOME=/root'] },
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
  };
  change?.(config);
  return config;
}

/** An overlay rootfs of an image of two layers. */
export const OVERLAY: OverlayInput & { own: NewLayer } = {
  kind: 'overlay',
  layers: ['/layers/base', '/layers/app'],
  own: {
    kept: false,
    mode: 0o755,
    uid: 0,
    gid: 0,
    files: { hosts: '127.0.0.1 localhost\n', hostname: 'c1\n', 'resolv.conf': 'nameserver 192.0.2.1\n' },
  },
};

/** The same, where the topmost layer's root belongs to somebody. */
export const ownedBy = (uid: number, gid: number): OverlayInput => ({
  ...OVERLAY,
  own: { ...OVERLAY.own, uid, gid },
});

/** The same for a container whose layer is made already, and stays: its init layer is one of the layers. */
export const KEPT_OVERLAY: OverlayInput & { own: KeptLayer } = {
  ...OVERLAY,
  layers: [...OVERLAY.layers, '/var/lib/tinyrun/overlay2/c1-init/diff'],
  own: {
    kept: true,
    upper: '/var/lib/tinyrun/overlay2/c1/diff',
    work: '/var/lib/tinyrun/overlay2/c1/work',
    merged: '/var/lib/tinyrun/overlay2/c1/merged',
    lock: 9,
    remove: false,
    release: false,
  },
};

/** What is kept of a container with a record, whose caller stays. */
export const MONITOR: MonitorInput = {
  directory: '/var/lib/tinyrun/containers/c1',
  log: { maxSize: 1000000, maxFiles: 3 },
  attach: { stdin: true, stdout: true, stderr: true, sigProxy: true, detachKeys: [16, 17] },
  openStdin: true,
  stdinOnce: true,
  say: '',
};

/** A caller's terminal on fd 0. */
export const TERMINAL = {
  fd: 0,
  rows: 24,
  columns: 80,
  saved: new Uint8Array(36).fill(1),
  raw: new Uint8Array(36).fill(2),
};

/** Two hooks of each point, the second with a timeout. */
const hooksOf = (point: string): Hook[] => [
  { path: `/hooks/${point}`, env: ['A=1'] },
  { path: `/hooks/${point}-2`, args: ['two', point], timeout: 10 },
];
const HOOKS: Hooks = {
  prestart: hooksOf('prestart'),
  createRuntime: hooksOf('createRuntime'),
  createContainer: hooksOf('createContainer'),
  startContainer: hooksOf('startContainer'),
  poststart: hooksOf('poststart'),
  poststop: hooksOf('poststop'),
};

/** The cgroup /engine/c1 on hosts with v1 hierarchies (and the unified one without controllers), and with v2 alone. */
const inHierarchies = (hierarchies: readonly CgroupHierarchy[], available: readonly string[]): Change => ({
  cgroups: hierarchies,
  cgroup: { places: cgroupPlaces('/engine/c1', 'c1', hierarchies), available, existing: false },
});
export const OWN_CGROUP_V1 = inHierarchies(
  ['cpu,cpuacct', 'memory', 'cpuset', 'pids', 'devices', 'freezer', 'name=systemd', ''].map(
    (controllers) => ({
      controllers,
      mountPoint: `/sys/fs/cgroup/${controllers.replace('name=', '') || 'unified'}`,
      path: '/',
    }),
  ),
  [],
);
export const OWN_CGROUP_V2 = inHierarchies(
  [{ controllers: '', mountPoint: '/sys/fs/cgroup', path: '/user.slice/session.scope' }],
  ['cpuset', 'cpu', 'io', 'memory', 'pids'],
);

function withLimits(config: Config): void {
  config.linux!.namespaces!.push({ type: 'cgroup' });
  config.linux!.resources = {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: 0x4000000 },
    pids: { limit: 100 },
  };
}

/** Every kind of input that a rule over all plans should hold for. */
export const INPUTS: Readonly<Record<string, Change>> = {
  'the default config': {},
  'no mounts': { config: minimalConfig() },
  'nothing is in the rootfs': { present: new Set() },
  'kept until deleted': { transient: false, pidFile: '/tmp/pid', logFd: 9 },
  'a chroot instead of a pivot': { noPivot: true },
  'no mount namespace': {
    config: minimalConfig((config) => {
      config.linux!.namespaces = [];
    }),
  },
  'a user namespace': {
    config: (config) => {
      config.linux!.namespaces!.push({ type: 'user' });
      config.linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      config.linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      config.linux!.devices = [{ type: 'c', path: '/var/run/fuse', major: 10, minor: 229 }];
      config.process.oomScoreAdj = 100;
      config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }];
    },
  },
  'joined namespaces and a new time namespace': {
    config: (config) => {
      config.linux!.namespaces = [
        { type: 'user', path: '/proc/7/ns/user' },
        { type: 'network', path: '/run/netns/n' },
        ...(['mount', 'pid', 'uts', 'time'] as const).map((type) => ({ type })),
      ];
      config.linux!.timeOffsets = { monotonic: { secs: 86400 } };
    },
  },
  'an overlay and volumes': {
    rootfs: OVERLAY,
    flagMounts: [
      {
        mount: { destination: '/data', source: '/srv/data', options: ['rbind', 'rprivate'] },
        createSource: true,
        from: '--volume',
      },
      {
        mount: { destination: '/var/lib/deep/file', source: '/srv/file', options: ['bind', 'ro'] },
        createSource: false,
        from: '--mount',
      },
      {
        mount: { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] },
        createSource: false,
        from: '--tmpfs',
      },
    ],
  },
  'idmapped binds and a memory policy': {
    config: (config) => {
      const mapped = [{ containerID: 0, hostID: 1000, size: 10 }];
      const mappings = { uidMappings: mapped, gidMappings: mapped };
      config.mounts!.push({ destination: '/a', source: '/srv/data', options: ['bind'], ...mappings });
      config.linux!.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0' };
    },
  },
  'network devices': {
    config: (config) => {
      config.linux!.netDevices = { eth7: { name: 'eth%d' }, lan: {} };
    },
    netDevices: [
      { name: 'eth7', index: 7, addresses: [] },
      {
        name: 'lan',
        index: 8,
        addresses: [
          {
            ...{ family: 2, prefix: 24, flags: 0, text: '192.0.2.1/24' },
            attributes: [[2, new Uint8Array([192, 0, 2, 1])]],
          },
        ],
      },
    ],
  },
  'without root, alone': {
    rootless: { uid: 1000, gid: 100 },
    config: (config) => {
      config.linux!.namespaces!.push({ type: 'user' });
      config.linux!.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
      config.linux!.gidMappings = [{ containerID: 0, hostID: 100, size: 1 }];
    },
  },
  'resource control': {
    config: (config) => {
      config.linux!.intelRdt = {
        l3CacheSchema: 'L3:0=f\nMB:0=10',
        memBwSchema: 'MB:0=20',
        enableMonitoring: true,
      };
    },
    resctrl: { mountPoint: '/sys/fs/resctrl', exists: false },
  },
  'security labels': {
    config: (config) => {
      config.process.apparmorProfile = 'docker-default';
      config.process.selinuxLabel = 'system_u:system_r:container_t:s0:c1,c2';
      config.linux!.mountLabel = 'system_u:object_r:container_file_t:s0:c1,c2';
    },
    securityModules: ['apparmor', 'selinux'],
  },
  'an overlay of an old kernel': { rootfs: OVERLAY, host: { kernel: [5, 15] } },
  'v1 cgroups': {
    cgroups: [
      { controllers: 'cpu,cpuacct', mountPoint: '/sys/fs/cgroup/cpu,cpuacct', path: '/a' },
      { controllers: 'name=systemd', mountPoint: '/sys/fs/cgroup/systemd', path: '/' },
    ],
  },
  'a cgroup on v1': { ...OWN_CGROUP_V1, config: withLimits },
  'a cgroup on v2': { ...OWN_CGROUP_V2, config: withLimits },
  'a cgroup on v2 and joined namespaces': {
    ...OWN_CGROUP_V2,
    config: (config) => {
      withLimits(config);
      config.linux!.resources!.pids = { limit: 1 };
      config.linux!.namespaces = [
        { type: 'network', path: '/run/netns/n' },
        ...(['mount', 'pid', 'cgroup'] as const).map((type) => ({ type })),
      ];
    },
  },
  'a seccomp filter, without no_new_privs': {
    seccomp: { filter: new Uint8Array(16), flags: ['SECCOMP_FILTER_FLAG_LOG'] },
    config: ({ process }) => {
      process.noNewPrivileges = false;
      process.user = { uid: 1000, gid: 1000 };
    },
  },
  'a seccomp filter with a listener': {
    seccomp: {
      filter: new Uint8Array(16),
      flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'],
      listener: { path: '/run/agent.sock', metadata: 'm' },
    },
    transient: false,
  },
  'a terminal': {
    config: (config) => {
      config.process.terminal = true;
    },
    terminal: TERMINAL,
  },
  'with a record': { monitor: MONITOR },
  'with a record and a terminal': {
    monitor: MONITOR,
    config: (config) => {
      config.process.terminal = true;
    },
    terminal: TERMINAL,
  },
  'with a record, detached': {
    ...OWN_CGROUP_V1,
    monitor: { ...MONITOR, attach: undefined, log: { maxSize: undefined, maxFiles: 1 }, say: 'c1\n' },
    rootfs: KEPT_OVERLAY,
  },
  'with a record, and signals for the client': {
    monitor: {
      ...MONITOR,
      attach: { ...MONITOR.attach!, stdout: false, sigProxy: false, detachKeys: [] },
      openStdin: false,
    },
  },
  'an init of ours': {
    init: true,
    config: (config) => {
      config.process.terminal = true;
    },
    terminal: TERMINAL,
  },
  created: { lifecycle: 'created', transient: false, pidFile: '/tmp/pid', pidfdSocket: '/tmp/pidfd' },
  'created with a terminal': {
    lifecycle: 'created',
    transient: false,
    config: (config) => {
      config.process.terminal = true;
    },
    consoleSocket: '/tmp/console',
  },
  detached: { lifecycle: 'detached', transient: false, printId: true },
  'hooks of all points': {
    config: (config) => {
      config.hooks = HOOKS;
    },
  },
  'devices, masks and read-only paths in strange places': {
    config: (config) => {
      config.linux!.devices = [
        { type: 'p', path: '/run/fifos/one' },
        { type: 'b', path: '/dev/disk/by-id/x', major: 8, minor: 1, uid: 1 },
        { type: 'c', path: '/console', major: 5, minor: 1 },
      ];
      config.linux!.maskedPaths = ['/etc/shadow', '/proc/kcore', '/a/../../b/c', '/dev/null'];
      config.linux!.readonlyPaths = ['/usr/lib', '/proc/sys', '/dev/shm/x'];
      config.linux!.sysctl = { 'net.ipv4.ip_forward': '1' };
      config.linux!.rootfsPropagation = 'rshared';
      config.process.user = { uid: 1000, gid: 100, additionalGids: [10, 20] };
      config.process.scheduler = { policy: 'SCHED_BATCH', nice: 5 };
      config.process.cwd = '/srv/work';
    },
  },
};

// Plans

/** The program of an input that differs by `change`. */
export const plan = (change: Change = {}): Program => planContainer(planInput(change));

/** The text form of each op. */
export const textsOf = (ops: readonly Op[]): string[] => ops.map((op) => printOp(op));

/** The system calls among ops whose text matches. */
export const callsOf = (ops: readonly Op[], pattern = /^/): CallOp[] =>
  ops.filter((op) => op.op === 'call').filter((op) => pattern.test(printOp(op)));

/** The ops of a section. */
export function sectionOf(program: Program, name: 'host' | 'init'): readonly Op[] {
  const section = program.sections.find((section) => section.name === name);
  if (section === undefined) throw new Error(`no section ${name}`);
  return section.ops;
}

// Runs

/** Runs a plan on the made-up kernel; `special` answers first. */
export function run(change: Change = {}, special: Answers = () => undefined): Recording {
  const linux = quietLinux();
  return record(plan(change), (call) => special(call) ?? linux(call));
}

/** A system call that was made: the op as planned, with its names of registers, and who made it. */
export interface Step {
  process: number;
  op: CallOp;
  text: string;
}

/** Which process is the host program: behind a client, the second one. */
export const hostOf = ({ monitor }: Change): number => (monitor === undefined ? 0 : 1);

/** The system calls of a run in their order. A child of clone3 runs to its end before its parent goes on. */
export function stepsOf(change: Change = {}, special?: Answers): Step[] {
  const places = numberOps(plan(change));
  return run(change, special).calls.map(({ process, number }) => {
    const { op } = places[number]!;
    if (op.op !== 'call') throw new Error(`op ${number} is no system call`);
    return { process, op, text: printOp(op) };
  });
}

/** The negative number with which a system call tells of this errno. */
export function errno(name: string): number {
  const number = errnos[name];
  if (number === undefined) throw new Error(`no errno ${name}`);
  return -number;
}

/** The buffer that an operand points into. */
export function bufferOf({ op }: AskedCall, argument: number): string | undefined {
  const arg = op.args[argument];
  return typeof arg === 'object' && 'buf' in arg ? arg.buf : undefined;
}

/** The register that an operand comes from. */
export function registerOf({ op }: AskedCall, argument: number): string | undefined {
  const arg = op.args[argument];
  return typeof arg === 'object' && 'reg' in arg ? arg.reg : undefined;
}

/** Writes little-endian words into memory. */
function put(memory: Uint8Array, at: number, ...words: number[]): 0 {
  memory.set(new Uint8Array(new Uint32Array(words).buffer), at);
  return 0;
}

const STATX_RDEV = 128;
const [POLLIN, POLLHUP] = [0x1, 0x10];

/** Answers that are more than success. One kernel answers one run: it remembers what went through the pipes. */
export function quietLinux(): Answers {
  const failed: string[] = []; // what init wrote into the pipe
  let up = false; // what the client hears
  let initPid: Uint8Array | undefined; // what the stage told, where one starts init in its own place (CLONE_PARENT)
  return (call) => {
    switch (call.call) {
      case 'getcwd':
        return put(call.memory(0), 0, '/'.charCodeAt(0));
      case 'statx':
        return put(call.memory(4), STATX_RDEV, 1, 3); // the null device
      case 'fstatfs':
        return registerOf(call, 0) === 'master'
          ? put(call.memory(1), 0, constants['DEVPTS_SUPER_MAGIC']!)
          : put(call.memory(1), 0, 0x01021994); // tmpfs
      case 'ppoll':
        if (bufferOf(call, 0) === 'init-poll') return 0; // it is alive
        return answerPoll(call);
      case 'write':
        if (registerOf(call, 0) === 'failed-w') failed.push(String(call.args[1]));
        if (registerOf(call, 0) === 'up-w') up = true;
        if (registerOf(call, 0) === 'pid-w') initPid = call.memory(1).slice(0, 4);
        return undefined;
      case 'read':
        if (registerOf(call, 0) === 'hook-r') return 0; // closed by execve
        if (registerOf(call, 0) === 'up-r' && !up) return 0;
        if (registerOf(call, 0) === 'failed-r') return readPipe(failed, call.memory(1));
        if (registerOf(call, 0) === 'signals') put(call.memory(1), 0, constants['SIGCHLD']!);
        if (registerOf(call, 0) === 'pid-r' && initPid !== undefined) call.memory(1).set(initPid);
        return undefined;
      case 'ioctl':
        return answerNamespaceType(call);
      default:
        return undefined;
    }
  };
}

function readPipe(bytes: string[], into: Uint8Array): number {
  const byte = bytes.shift();
  if (byte === undefined) return 0;
  into[0] = byte.charCodeAt(0);
  return 1;
}

/** Nothing is there to be read, but the SIGCHLD for the host program and, for its child, the news of its end. */
function answerPoll(call: AskedCall): number {
  const buffer = bufferOf(call, 0);
  const waits = buffer === 'relay' || buffer === 'waited' || buffer === 'client';
  if (waits && call.op.to === undefined) {
    call.memory(0)[6] = POLLIN;
    return 1;
  }
  if (call.op.to === 'ended') return 1; // a hook
  if (buffer !== 'keys') return 0;
  call.memory(0)[14] = POLLHUP;
  return 1;
}

/** NS_GET_NSTYPE tells what the register is named after: `ns-user`. */
function answerNamespaceType(call: AskedCall): number | undefined {
  const type = /^ns-(\w+)$/.exec(registerOf(call, 0) ?? '')?.[1];
  return type === undefined ? undefined : constants[NAMESPACE_FLAGS[type]!];
}

const NAMESPACE_FLAGS: Readonly<Record<string, string>> = {
  pid: 'CLONE_NEWPID',
  network: 'CLONE_NEWNET',
  mount: 'CLONE_NEWNS',
  ipc: 'CLONE_NEWIPC',
  uts: 'CLONE_NEWUTS',
  user: 'CLONE_NEWUSER',
  cgroup: 'CLONE_NEWCGROUP',
  time: 'CLONE_NEWTIME',
};
