// validateConfig: what is accepted, and every refusal with its words.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Linux, Mount, Process } from '../../src/oci/config.ts';
import { defaultConfig } from '../../src/oci/defaults.ts';
import { parseConfig } from '../../src/oci/parse.ts';
import { formatProblems, validateConfig, validateProcess } from '../../src/oci/validate.ts';

/** Fields of the default config to replace; those of process and linux one by one, or the whole by another value. */
interface Change {
  process?: { [key in keyof Process]?: unknown } | 'absent';
  linux?: { [key in keyof Linux]?: unknown } | 'absent' | 'text';
  [field: string]: unknown;
}

function configWith({ process = {}, linux = {}, ...fields }: Change): unknown {
  const base = defaultConfig();
  const replaced = <T extends object>(old: T | undefined, change: object | string) =>
    change === 'absent' ? undefined : typeof change === 'string' ? change : { ...old, ...change };
  return { ...base, process: replaced(base.process, process), linux: replaced(base.linux, linux), ...fields };
}

const namespaces = (...types: string[]) => [...types, 'mount'].map((type) => ({ type }));
const allBut = (type: string) => namespaces('pid', 'network', 'ipc', 'uts').filter((n) => n.type !== type);
const mount = (fields: { [key in keyof Mount]?: unknown }): Change => ({
  mounts: [{ destination: '/x', type: 'tmpfs', ...fields }],
});
const oneId = [{ containerID: 0, hostID: 1000, size: 1 }];
const sysctl = (key: string): Change => ({ linux: { sysctl: { [key]: '1' } } });
const rlimit = (fields: object): Change => ({
  process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2, ...fields }] },
});
const device = (fields: object): Change => ({
  linux: { devices: [{ type: 'c', path: '/dev/x', major: 1, minor: 3, ...fields }] },
});

const VALID: Record<string, Change> = {
  'a pre-release of the spec': { ociVersion: '1.0.2-dev' },
  'a later 1.x of the spec, with build metadata': { ociVersion: '1.27.0-rc.1+x-1' },
  'no user: root, as runc and crun': { process: { user: undefined } },
  'the highest id': { process: { user: { uid: 4294967294, gid: 4294967294, additionalGids: [0, 5] } } },
  'umask 0777': { process: { user: { umask: 511 } } },
  'a console size without a terminal, which is ignored': {
    process: { terminal: false, consoleSize: { height: -1 } },
  },
  'an empty value in the environment': { process: { env: ['A=', 'B==x'] } },
  'an empty program name, which execve will refuse': { process: { args: [''] } },
  'no capabilities at all': { process: { capabilities: undefined } },
  RLIM_INFINITY: rlimit({ soft: 18446744073709551615n, hard: 18446744073709551615n }),
  'both ends of oom_score_adj': { process: { oomScoreAdj: -1000 } },
  'a realtime policy': { process: { scheduler: { policy: 'SCHED_RR', priority: 99, flags: [] } } },
  'a deadline policy': {
    process: { scheduler: { policy: 'SCHED_DEADLINE', runtime: 1, deadline: 2, period: 2 ** 40 } },
  },
  'an i/o priority': { process: { ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 } } },
  'cpu lists': { process: { execCPUAffinity: { initial: '0-3,7', final: '' } } },
  'no linux section': { linux: 'absent', hostname: undefined, mounts: [] },
  'an empty namespace path': { linux: { namespaces: [{ type: 'mount', path: '' }, { type: 'uts' }] } },
  'a user namespace with mappings': {
    linux: {
      namespaces: namespaces('user', 'uts'),
      uidMappings: oneId,
      gidMappings: [{ containerID: 0, hostID: 0, size: 4294967295 }],
    },
  },
  'a joined user namespace without mappings': {
    linux: { namespaces: [{ type: 'user', path: '/proc/1/ns/user' }, ...allBut('')] },
  },
  'empty mappings without a user namespace': { linux: { uidMappings: [], gidMappings: [] } },
  'time offsets': {
    linux: {
      namespaces: namespaces('time', 'uts'),
      timeOffsets: { monotonic: { secs: -5 }, boottime: { secs: 5, nanosecs: 999999999 } },
    },
  },
  'sysctls of the network': sysctl('net.ipv4.ip_forward'),
  'sysctls as paths': sysctl('net/ipv4/conf/eth0.100/forwarding'),
  'sysctls of System V ipc': sysctl('kernel.shm_rmid_forced'),
  'sysctls of message queues': sysctl('fs.mqueue.msg_max'),
  'the domain name as a sysctl': sysctl('kernel.domainname'),
  'sysctls of a user namespace': {
    linux: {
      namespaces: namespaces('user', 'uts'),
      uidMappings: oneId,
      gidMappings: oneId,
      sysctl: { 'user.max_net_namespaces': '3' },
    },
  },
  'a device with the type in its mode, as Podman writes it': device({ fileMode: 8576, uid: 0, gid: 5 }),
  'a fifo without numbers': device({ type: 'p', major: undefined, minor: undefined }),
  'each propagation of the root filesystem': { linux: { rootfsPropagation: 'rslave' } },
  'a device rule for any minor, as Docker writes it': {
    linux: { resources: { devices: [{ allow: false, type: 'c', major: 10, minor: -1, access: 'rmw' }] } },
  },
  "Docker's resources": {
    linux: {
      resources: {
        memory: { limit: -1, disableOOMKiller: false },
        cpu: { shares: 0 },
        pids: { limit: 2048 },
        blockIO: { weight: 0, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] },
      },
    },
  },
  'a 64-bit condition of seccomp': {
    linux: {
      seccomp: {
        defaultAction: 'SCMP_ACT_ERRNO',
        syscalls: [
          {
            names: ['clone'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: 18446744073709551615n, op: 'SCMP_CMP_EQ' }],
          },
        ],
      },
    },
  },
  'a bind of any type': mount({ type: 'none', source: '/h', options: ['rbind', 'bind', 'rprivate'] }),
  'a remount without a type': mount({ type: undefined, options: ['remount', 'ro'] }),
  'a mount that is both slave and shared': mount({ options: ['rslave', 'rshared'] }),
  'per-mount mappings': mount({
    source: '/h',
    uidMappings: oneId,
    gidMappings: oneId,
    options: ['bind', 'idmap'],
  }),
  'hooks with all fields': {
    hooks: { poststop: [{ path: '/bin/x', args: ['x'], env: ['A=1'], timeout: 1 }], createRuntime: [] },
  },
  annotations: { annotations: { 'org.example/a': '' } },
  'unknown properties anywhere': {
    platform: { os: 'x' },
    process: { commandLine: 'x' } as object,
    linux: { x: 1 } as object,
  },
};

for (const [what, change] of Object.entries(VALID)) {
  test(`validateConfig accepts ${what}`, () => {
    const { problems, warnings } = validateConfig(configWith(change));
    assert.is(formatProblems([...problems, ...warnings]), '');
  });
}

/** Message -> the change that brings it about; each of them has this one problem. */
const INVALID: [message: string, change: Change][] = [
  ['/ociVersion: is missing', { ociVersion: undefined }],
  ['/ociVersion: 1 is not a string', { ociVersion: 1 }],
  ...['0.9.0', '2.0.0', '1.0', 'v1.0.0', '1.0.0-', '1.01.0', ''].map((v): [string, Change] => [
    `/ociVersion: "${v}" is not a version 1.x.y of the OCI runtime-spec`,
    { ociVersion: v },
  ]),
  ['/root: is missing', { root: undefined }],
  ['/root: "rootfs" is not an object', { root: 'rootfs' }],
  ['/root/path: is missing', { root: {} }],
  ['/root/path: is empty', { root: { path: '' } }],
  ['/root/readonly: "true" is not true or false', { root: { path: 'r', readonly: 'true' } }],
  ['/process: is missing', { process: 'absent' }],
  ['/solaris: is a section for Solaris, tinyrun runs Linux containers', { solaris: {} }],
  ['/windows: is a section for Windows, tinyrun runs Linux containers', { windows: {} }],
  ['/zos: is a section for z/OS, tinyrun runs Linux containers', { zos: {} }],
  ['/freebsd: is a section for FreeBSD, tinyrun runs Linux containers', { freebsd: {} }],
  ['/vm: is a section for virtual machines, tinyrun runs Linux containers', { vm: {} }],
  ['/annotations: a list is not an object', { annotations: [] }],
  ['/annotations/a~1b~0: 1 is not a string', { annotations: { 'a/b~': 1 } }],
  ['/annotations/: has an empty name', { annotations: { '': 'x' } }],
  ['/hooks/prestart: an object is not a list', { hooks: { prestart: {} } }],
  ['/hooks/poststart/0/path: is missing', { hooks: { poststart: [{}] } }],
  [
    '/hooks/createContainer/1/path: "bin/x" is not an absolute path',
    {
      hooks: { createContainer: [{ path: '/x' }, { path: 'bin/x' }] },
    },
  ],
  ...[0, -1, 1.5].map((timeout): [string, Change] => [
    `/hooks/poststop/0/timeout: ${timeout} is not a number of seconds above 0`,
    { hooks: { poststop: [{ path: '/x', timeout }] } },
  ]),

  ['/process/cwd: is missing', { process: { cwd: undefined } }],
  ['/process/cwd: "" is not an absolute path', { process: { cwd: '' } }],
  ['/process/cwd: "tmp" is not an absolute path', { process: { cwd: 'tmp' } }],
  ['/process/args: is missing', { process: { args: undefined } }],
  ['/process/args: is empty: there is nothing to run', { process: { args: [] } }],
  ['/process/args: "sh" is not a list', { process: { args: 'sh' } }],
  ['/process/args/1: 1 is not a string', { process: { args: ['a', 1] } }],
  ['/process/args/0: "a\\u0000b" contains a NUL byte', { process: { args: ['a\0b'] } }],
  ['/process/args/0: null is not a string', { process: { args: [null] } }],
  ['/process/env/1: "FOO" is not NAME=value', { process: { env: ['A=1', 'FOO'] } }],
  ['/process/env/0: "=x" is not NAME=value', { process: { env: ['=x'] } }],
  ['/process/env/0: "" is not NAME=value', { process: { env: [''] } }],
  ['/process/terminal: 1 is not true or false', { process: { terminal: 1 } }],
  ['/process/consoleSize/width: is missing', { process: { consoleSize: { height: 3 } } }],
  [
    '/process/consoleSize/width: 65536 is not a 16-bit unsigned integer',
    {
      process: { consoleSize: { height: 3, width: 65536 } },
    },
  ],
  ['/process/user: "root" is not an object', { process: { user: 'root' } }],
  ['/process/user/uid: 4294967296 is not a 32-bit unsigned integer', { process: { user: { uid: 2 ** 32 } } }],
  [
    '/process/user/uid: 4294967295 is no id, it means "unchanged" to the kernel',
    {
      process: { user: { uid: 4294967295 } },
    },
  ],
  ['/process/user/uid: "0" is not a 32-bit unsigned integer', { process: { user: { uid: '0' } } }],
  ['/process/user/gid: -1 is not a 32-bit unsigned integer', { process: { user: { gid: -1 } } }],
  ['/process/user/gid: 1.5 is not a 32-bit unsigned integer', { process: { user: { gid: 1.5 } } }],
  [
    '/process/user/gid: 18446744073709551616 is not a 32-bit unsigned integer',
    {
      process: { user: { gid: 2n ** 64n } },
    },
  ],
  [
    '/process/user/additionalGids/1: 4294967296 is not a 32-bit unsigned integer',
    {
      process: { user: { additionalGids: [1, 4294967296] } },
    },
  ],
  [
    '/process/user/umask: 1022 is not a umask from 0 to 511 (octal 777)',
    { process: { user: { umask: 1022 } } },
  ],
  ['/process/capabilities: a list is not an object', { process: { capabilities: ['CAP_KILL'] } }],
  ['/process/capabilities/ambient/0: 5 is not a string', { process: { capabilities: { ambient: [5] } } }],
  ['/process/rlimits/0/type: "NOFILE" is not a resource limit', rlimit({ type: 'NOFILE' })],
  ['/process/rlimits/0/type: is missing', rlimit({ type: undefined })],
  ['/process/rlimits/0/soft: is missing', rlimit({ soft: undefined })],
  ['/process/rlimits/0/soft: -1 is not a 64-bit unsigned integer', rlimit({ soft: -1 })],
  ['/process/rlimits/0/soft: 3 is above the hard limit 2', rlimit({ soft: 3 })],
  [
    '/process/rlimits/0/hard: 18446744073709551616 is not a 64-bit unsigned integer',
    rlimit({ hard: 2n ** 64n }),
  ],
  [
    '/process/rlimits/1/type: "RLIMIT_CPU" is given twice',
    {
      process: {
        rlimits: [
          { type: 'RLIMIT_CPU', soft: 1, hard: 1 },
          { type: 'RLIMIT_CPU', soft: 1, hard: 1 },
        ],
      },
    },
  ],
  ['/process/oomScoreAdj: 1001 is not an integer from -1000 to 1000', { process: { oomScoreAdj: 1001 } }],
  ['/process/scheduler/policy: is missing', { process: { scheduler: {} } }],
  [
    '/process/scheduler/policy: "SCHED_ISO" is not one of SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE',
    {
      process: { scheduler: { policy: 'SCHED_ISO' } },
    },
  ],
  [
    '/process/scheduler/nice: 20 is not an integer from -20 to 19',
    {
      process: { scheduler: { policy: 'SCHED_OTHER', nice: 20 } },
    },
  ],
  [
    '/process/scheduler/priority: 0 is not 1 to 99, as SCHED_FIFO demands',
    {
      process: { scheduler: { policy: 'SCHED_FIFO' } },
    },
  ],
  [
    '/process/scheduler/priority: 5 is for SCHED_FIFO and SCHED_RR, not for SCHED_BATCH',
    {
      process: { scheduler: { policy: 'SCHED_BATCH', priority: 5 } },
    },
  ],
  [
    '/process/scheduler/period: 7 is for SCHED_DEADLINE, not for SCHED_OTHER',
    {
      process: { scheduler: { policy: 'SCHED_OTHER', runtime: 0, period: 7 } },
    },
  ],
  [
    '/process/scheduler/flags/0: "X" is not one of SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX',
    {
      process: { scheduler: { policy: 'SCHED_OTHER', flags: ['X'] } },
    },
  ],
  [
    '/process/ioPriority/class: "RT" is not one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE',
    {
      process: { ioPriority: { class: 'RT', priority: 1 } },
    },
  ],
  [
    '/process/ioPriority/priority: 8 is not an integer from 0 to 7',
    {
      process: { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 8 } },
    },
  ],
  [
    '/process/execCPUAffinity/final: "0,-3" is not a list of CPUs such as 0-3,7',
    {
      process: { execCPUAffinity: { final: '0,-3' } },
    },
  ],
  ['/process/apparmorProfile: true is not a string', { process: { apparmorProfile: true } }],

  ['/hostname: "tinyrun" cannot be set without a uts namespace', { linux: { namespaces: allBut('uts') } }],
  [`/hostname: "${'é'.repeat(33)}" is longer than 64 bytes`, { hostname: 'é'.repeat(33) }],
  [
    '/domainname: "d" cannot be set without a uts namespace',
    {
      hostname: '',
      domainname: 'd',
      linux: { namespaces: allBut('uts') },
    },
  ],
  ['/linux: "text" is not an object', { hostname: '', mounts: [], linux: 'text' }],
  [
    '/linux/namespaces/5/type: "net" is not one of pid, network, mount, ipc, uts, user, cgroup, time',
    {
      linux: { namespaces: [...allBut(''), { type: 'net' }] },
    },
  ],
  [
    '/linux/namespaces/5/type: "uts" is given twice',
    { linux: { namespaces: [...allBut(''), { type: 'uts' }] } },
  ],
  ['/linux/namespaces/5/type: is missing', { linux: { namespaces: [...allBut(''), {}] } }],
  [
    '/linux/namespaces/5/path: "ns/time" is not an absolute path',
    {
      linux: { namespaces: [...allBut(''), { type: 'time', path: 'ns/time' }] },
    },
  ],
  ['/linux/uidMappings: needs a user namespace', { linux: { uidMappings: oneId } }],
  [
    '/linux/gidMappings: is missing: a new user namespace needs it',
    {
      linux: { namespaces: namespaces('user', 'uts'), uidMappings: oneId },
    },
  ],
  ...[
    ['size: 0 maps nothing', { size: 0 }],
    ['hostID: is missing', { hostID: undefined }],
    ['hostID: 4294967294 and 1 more leave the range of 32-bit ids', { hostID: 4294967294, size: 2 }],
    ['containerID: "0" is not a 32-bit unsigned integer', { containerID: '0' }],
  ].map(([message, fields]): [string, Change] => [
    `/linux/uidMappings/0/${message}`,
    {
      linux: {
        namespaces: namespaces('user', 'uts'),
        uidMappings: [{ ...oneId[0], ...(fields as object) }],
        gidMappings: oneId,
      },
    },
  ]),
  [
    '/linux/timeOffsets/monotonic: needs a time namespace',
    { linux: { timeOffsets: { monotonic: { secs: 1 } } } },
  ],
  [
    '/linux/timeOffsets/monotonic: cannot be set: the time namespace /t is joined, not new',
    {
      linux: { namespaces: [...allBut(''), { type: 'time', path: '/t' }], timeOffsets: { monotonic: {} } },
    },
  ],
  [
    '/linux/timeOffsets/realtime: "realtime" is not a clock of time namespaces: monotonic, boottime',
    {
      linux: { namespaces: namespaces('time', 'uts'), timeOffsets: { realtime: {} } as object },
    },
  ],
  [
    '/linux/timeOffsets/boottime/nanosecs: 1000000000 is not from 0 to 999999999',
    {
      linux: { namespaces: namespaces('time', 'uts'), timeOffsets: { boottime: { nanosecs: 1e9 } } },
    },
  ],
  [
    '/linux/sysctl/vm.swappiness: vm.swappiness is in no namespace, it would change the whole host',
    sysctl('vm.swappiness'),
  ],
  [
    '/linux/sysctl/kernel.core_pattern: kernel.core_pattern is in no namespace, it would change the whole host',
    sysctl('kernel.core_pattern'),
  ],
  [
    '/linux/sysctl/kernel.hostname: kernel.hostname is set by the field hostname instead',
    sysctl('kernel.hostname'),
  ],
  [
    '/linux/sysctl/net~1..~1kernel~1core_pattern: "net/../kernel/core_pattern" is not the name of a sysctl',
    sysctl('net/../kernel/core_pattern'),
  ],
  [
    '/linux/sysctl/net.~1~1.kernel.core_pattern: "net.//.kernel.core_pattern" is not the name of a sysctl',
    sysctl('net.//.kernel.core_pattern'),
  ],
  ['/linux/sysctl/: "" is not the name of a sysctl', sysctl('')],
  [
    '/linux/sysctl/user.max_net_namespaces: user.max_net_namespaces needs a user namespace',
    sysctl('user.max_net_namespaces'),
  ],
  [
    '/linux/sysctl/net.core.somaxconn: 128 is not a string',
    { linux: { sysctl: { 'net.core.somaxconn': 128 } } },
  ],
  [
    '/linux/sysctl/net.core.somaxconn: net.core.somaxconn needs a network namespace',
    {
      linux: { namespaces: allBut('network'), sysctl: { 'net.core.somaxconn': '1' } },
    },
  ],
  [
    "/linux/sysctl/net.core.somaxconn: net.core.somaxconn needs a network namespace other than the host's",
    {
      linux: {
        namespaces: [...allBut('network'), { type: 'network', path: '/proc/self/ns/net' }],
        sysctl: { 'net.core.somaxconn': '1' },
      },
    },
  ],
  [
    '/linux/sysctl/kernel.sem: kernel.sem needs an ipc namespace',
    {
      linux: { namespaces: allBut('ipc'), sysctl: { 'kernel.sem': '1' } },
    },
  ],
  ['/linux/maskedPaths/0: "proc/kcore" is not an absolute path', { linux: { maskedPaths: ['proc/kcore'] } }],
  [
    '/linux/readonlyPaths/0: "/.." is the rootfs itself; see /root/readonly',
    { linux: { readonlyPaths: ['/..'] } },
  ],
  ['/linux/devices/0/type: "x" is not one of c, b, u, p', device({ type: 'x' })],
  ['/linux/devices/0/path: "dev/x" is not an absolute path', device({ path: 'dev/x' })],
  ['/linux/devices/0/major: is missing', device({ major: undefined })],
  ['/linux/devices/0/minor: 1048576 is not a minor device number (0 to 1048575)', device({ minor: 1048576 })],
  ['/linux/devices/0/fileMode: 65536 is not a file mode', device({ fileMode: 0o200000 })],
  [
    '/linux/devices/0/gid: 4294967295 is no id, it means "unchanged" to the kernel',
    device({ gid: 4294967295 }),
  ],
  [
    '/linux/netDevices/eth0: needs a network namespace',
    {
      linux: { namespaces: allBut('network'), netDevices: { eth0: { name: 'a' } } },
    },
  ],
  [
    '/linux/netDevices/eth0: "a b" is not the name of a network interface',
    {
      linux: { netDevices: { eth0: { name: 'a b' } } },
    },
  ],
  ['/linux/cgroupsPath: "/a/../b" leads out of its parent by ..', { linux: { cgroupsPath: '/a/../b' } }],
  [
    '/linux/rootfsPropagation: "public" is not one of private, rprivate, slave, rslave, shared, rshared, unbindable, runbindable',
    {
      linux: { rootfsPropagation: 'public' },
    },
  ],
  [
    '/linux/personality/domain: "BSD" is not one of LINUX, LINUX32',
    { linux: { personality: { domain: 'BSD' } } },
  ],
  [
    '/linux/personality/flags: "X": the spec defines no flags',
    {
      linux: { personality: { domain: 'LINUX', flags: ['X'] } },
    },
  ],
  ['/linux/resources/devices/0/allow: is missing', { linux: { resources: { devices: [{}] } } }],
  [
    '/linux/resources/devices/0/access: "rx" has "x", it may have r, w and m',
    {
      linux: { resources: { devices: [{ allow: true, access: 'rx' }] } },
    },
  ],
  [
    '/linux/resources/memory/limit: "50M" is not a 64-bit integer from -1 on',
    { linux: { resources: { memory: { limit: '50M' } } } },
  ],
  [
    '/linux/resources/memory/swap: -2 is not a 64-bit integer from -1 on',
    { linux: { resources: { memory: { swap: -2 } } } },
  ],
  ['/linux/resources/cpu/cpus: 1 is not a string', { linux: { resources: { cpu: { cpus: 1 } } } }],
  [
    '/linux/resources/blockIO/weightDevice/0/minor: is missing',
    {
      linux: { resources: { blockIO: { weightDevice: [{ major: 8 }] } } },
    },
  ],
  [
    '/linux/resources/hugepageLimits/0/limit: is missing',
    {
      linux: { resources: { hugepageLimits: [{ pageSize: '2MB' }] } },
    },
  ],
  [
    '/linux/resources/network/priorities/0/name: is missing',
    {
      linux: { resources: { network: { priorities: [{ priority: 1 }] } } },
    },
  ],
  [
    '/linux/resources/rdma/mlx~11/hcaHandles: -1 is not a 32-bit unsigned integer',
    {
      linux: { resources: { rdma: { 'mlx/1': { hcaHandles: -1 } } } },
    },
  ],
  [
    '/linux/resources/unified/memory.max: 1 is not a string',
    { linux: { resources: { unified: { 'memory.max': 1 } } } },
  ],
  ['/linux/intelRdt/closID: ".." is not the name of a class', { linux: { intelRdt: { closID: '..' } } }],
  ['/linux/memoryPolicy/mode: is missing', { linux: { memoryPolicy: {} } }],
  [
    '/linux/memoryPolicy/nodes: is missing: MPOL_BIND needs it',
    { linux: { memoryPolicy: { mode: 'MPOL_BIND', nodes: '' } } },
  ],
  [
    '/linux/memoryPolicy/nodes: "3-1" is not a list of nodes such as 0-3,7',
    { linux: { memoryPolicy: { mode: 'MPOL_PREFERRED', nodes: '3-1' } } },
  ],
  [
    '/linux/memoryPolicy/nodes: "0" is not for MPOL_LOCAL, which has no nodes',
    { linux: { memoryPolicy: { mode: 'MPOL_LOCAL', nodes: '0' } } },
  ],
  [
    '/linux/memoryPolicy/flags/0: "X" is not one of MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES',
    {
      linux: { memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['X'] } },
    },
  ],
  ['/linux/seccomp/defaultAction: is missing', { linux: { seccomp: {} } }],
  [
    '/linux/seccomp/syscalls/0/args/0/op: is missing',
    {
      linux: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['x'], action: 'SCMP_ACT_KILL', args: [{ index: 0, value: 0 }] }],
        },
      },
    },
  ],

  ['/mounts/0: "x" is not an object', { mounts: ['x'] }],
  ['/mounts/0/destination: is missing', mount({ destination: undefined })],
  ['/mounts/0/destination: is empty', mount({ destination: '' })],
  ['/mounts/0/type: is missing, and there is neither the option bind nor rbind', mount({ type: undefined })],
  [
    '/mounts/0/type: "bind" is not a filesystem: a bind has the option bind or rbind',
    mount({ type: 'bind', source: '/h' }),
  ],
  ['/mounts/0/source: is missing: a bind needs one', mount({ options: ['bind'] })],
  ['/mounts/0/options: "ro" is not a list', mount({ options: 'ro' })],
  ['/mounts/0/options/1: null is not a string', mount({ options: ['ro', null] })],
  ['/mounts/0/options: private and shared contradict each other', mount({ options: ['rprivate', 'shared'] })],
  ['/mounts/0/options: shared and slave contradict each other', mount({ options: ['shared', 'slave'] })],
  [
    '/mounts/0/gidMappings: is missing: a mount has both or neither',
    mount({ source: '/h', options: ['bind'], uidMappings: oneId }),
  ],
  [
    '/mounts/0/uidMappings: is missing: a mount has both or neither',
    mount({ source: '/h', options: ['bind'], gidMappings: oneId }),
  ],
  [
    '/mounts/0/options: only new binds can be idmapped',
    mount({ options: ['idmap'], uidMappings: oneId, gidMappings: oneId }),
  ],
  [
    '/mounts/0/uidMappings: only new binds can be idmapped',
    mount({ options: ['bind', 'remount'], source: '/h', uidMappings: oneId, gidMappings: oneId }),
  ],
  [
    '/mounts/0/options: ridmap needs uidMappings and gidMappings, or a user namespace',
    mount({ source: '/h', options: ['bind', 'ridmap'] }),
  ],
];

for (const [message, change] of INVALID) {
  test(`validateConfig refuses: ${message}`, () => {
    const { problems, warnings } = validateConfig(configWith(change));
    assert.is(formatProblems(problems), `config.json: ${message}`);
    assert.equal(warnings, []);
  });
}

const WARNINGS: [message: string, change: Change][] = [
  [
    '/process/capabilities/bounding/1: unknown capability "CAP_X" is not granted',
    {
      process: { capabilities: { bounding: ['CAP_KILL', 'CAP_X'] } },
    },
  ],
  [
    '/process/capabilities/effective/0: unknown capability "constructor" is not granted',
    {
      process: { capabilities: { effective: ['constructor'] } },
    },
  ],
  ['/mounts/0/destination: "x" is relative, which is deprecated: taken from /', mount({ destination: 'x' })],
  [
    '/mounts/0/options: "readonly" has no effect on a bind',
    mount({ source: '/h', options: ['bind', 'readonly'] }),
  ],
];

for (const [message, change] of WARNINGS) {
  test(`validateConfig warns: ${message}`, () => {
    const { problems, warnings } = validateConfig(configWith(change));
    assert.is(formatProblems(warnings), `config.json: ${message}`);
    assert.equal(problems, []);
  });
}

test('validateConfig finds all problems at once', () => {
  const { problems } = validateConfig({
    ociVersion: 1,
    root: {},
    process: { args: [], rlimits: [3] },
    mounts: 'x',
  });
  assert.is(
    formatProblems(problems, 'c.json'),
    'c.json: /ociVersion: 1 is not a string; c.json: /root/path: is missing; c.json: /process/cwd: is missing; ' +
      'c.json: /process/args: is empty: there is nothing to run; c.json: /process/rlimits/0: 3 is not an object; ' +
      'c.json: /mounts: "x" is not a list',
  );
});

test('a problem carries its value for machines', () => {
  const { problems } = validateConfig(configWith({ process: { cwd: 'x' } }));
  assert.equal(problems, [{ pointer: '/process/cwd', message: '"x" is not an absolute path', value: 'x' }]);
});

test('validateConfig refuses what is no object at all', () => {
  for (const value of [undefined, null, 3, 'x', []]) {
    assert.match(formatProblems(validateConfig(value).problems), /^config\.json: .* is not an object$/);
  }
});

test('validateConfig takes null for absent in what parseConfig has read', () => {
  const { process, linux, ...rest } = defaultConfig();
  const text = JSON.stringify({
    ...rest,
    hooks: null,
    process: { ...process, rlimits: null, user: { ...process.user, additionalGids: null } },
    linux: { ...linux, seccomp: null, sysctl: null },
  });
  const { config, problems } = validateConfig(parseConfig(text));
  assert.equal(problems, []);
  assert.is(config.process.rlimits, undefined);
});

test('validateProcess checks the process file of exec, with pointers into that file', () => {
  const { process, problems } = validateProcess({ args: ['sh'], cwd: '/', rlimits: null });
  assert.equal([process, problems], [{ args: ['sh'], cwd: '/' }, []]);
  const bad = validateProcess({ args: ['sh'], cwd: 'x', env: ['A'] });
  assert.is(
    formatProblems(bad.problems, 'process.json'),
    'process.json: /cwd: "x" is not an absolute path; process.json: /env/0: "A" is not NAME=value',
  );
  assert.is(formatProblems(validateProcess([]).problems, 'p'), 'p: a list is not an object');
});

test('null is deleted wherever a field may be null, and is wrong in a list', () => {
  const { problems } = validateConfig(
    configWith({ process: { user: { uid: null, additionalGids: [null] } }, hooks: { prestart: null } }),
  );
  assert.is(
    formatProblems(problems),
    'config.json: /process/user/additionalGids/0: null is not a 32-bit unsigned integer',
  );
});

test.run();
