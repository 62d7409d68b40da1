// What a container gets that nobody has to ask for: Docker's defaults, as tables. spec/containers.md tells them to users.

import type { Mount } from '../oci/config.ts';

/** With `CAP_`; the rest of root's rights are gone. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** What proc and sysfs show of the whole machine, hidden. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts', // when which key was hit: a side channel
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap', // CVE-2020-8694
  '/sys/firmware',
];

export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Ports below 1024 and ping are for every user of a container that has a network of its own. */
export const NETWORK_SYSCTLS: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
export const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;
export const DEFAULT_STOP_SIGNAL = 'SIGTERM';
/** Seconds. */
export const DEFAULT_STOP_TIMEOUT = 10;

const SAFE = ['nosuid', 'noexec', 'nodev'];

/**
 * The mounts of every container; /dev/shm is for oci-config.ts.
 * @param writable of a privileged container: sysfs and cgroups may be written to
 */
export function defaultMounts(writable: boolean): Mount[] {
  const access = writable ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: SAFE },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...SAFE, access] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...SAFE, access] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: SAFE },
  ];
}

/** Memory that processes share, POSIX shm_overview(7). */
export const shmMount = (bytes: number): Mount => ({
  destination: '/dev/shm',
  type: 'tmpfs',
  source: 'shm',
  options: [...SAFE, 'mode=1777', `size=${bytes}`],
});

/** With `--ipc host`. */
export const HOST_SHM: Mount = {
  destination: '/dev/shm',
  type: 'bind',
  source: '/dev/shm',
  options: ['rbind', ...SAFE],
};
