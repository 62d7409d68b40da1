// Bundles that runtimes are compared by: name -> how it differs from the default config.

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, NamespaceType } from '../../src/oci/config.ts';
import type { Bundle } from './bundle.ts';

export type Change = (config: Config, bundle: Bundle) => void;

const ALL = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_KILL',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
];
const sets = (names: string[]) => ({ bounding: names, permitted: names, effective: names });

export const bundles: Readonly<Record<string, Change>> = {
  'the default config': () => {},

  'namespaces shared with the host': (config) => {
    config.linux!.namespaces = [{ type: 'mount' }, { type: 'pid' }];
    delete config.hostname;
    config.mounts = config.mounts!.filter(({ type }) => type !== 'sysfs' && type !== 'cgroup');
  },

  'all namespaces that runc knows, and names': (config) => {
    const types: NamespaceType[] = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'];
    config.linux!.namespaces = types.map((type) => ({ type }));
    config.hostname = 'box';
    config.linux!.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '9999' };
  },

  'a user who is not root': ({ process }) => {
    process.user = { uid: 1000, gid: 100, additionalGids: [20, 5, 1000], umask: 0o27 };
    process.capabilities = { ...sets(ALL), inheritable: ALL, ambient: ['CAP_KILL'] };
  },

  'root with capabilities, and without no_new_privs': (config) => {
    config.process.capabilities = { ...sets(ALL), inheritable: ['CAP_KILL'] };
    config.process.noNewPrivileges = false;
    config.root.readonly = true;
  },

  'no capabilities': ({ process }) => {
    process.capabilities = {};
  },

  'a user namespace': ({ linux, process }) => {
    linux!.namespaces!.push({ type: 'user' });
    linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    linux!.gidMappings = linux!.uidMappings;
    process.capabilities = sets(ALL);
  },

  'binds with options': ({ mounts }, { dir }) => {
    mkdirSync(join(dir, 'source/sub'), { recursive: true });
    writeFileSync(join(dir, 'source/file'), '');
    const bind = (destination: string, source: string, ...options: string[]) =>
      mounts!.push({ destination, source: join(dir, source), options });
    bind('/plain', 'source', 'bind');
    bind('/etc/file', 'source/file', 'bind', 'ro', 'nosuid', 'nodev', 'noexec');
    bind('/recursive', 'source', 'rbind', 'rw');
    bind('/private', 'source', 'rbind', 'rprivate');
    bind('/slave', 'source', 'rbind', 'rslave', 'ro');
    bind('/shared', 'source', 'rbind', 'rshared');
    bind('/plain/sub', 'source', 'bind', 'ro', 'noatime');
  },

  'filesystems with options': ({ mounts }, { rootfs }) => {
    for (const name of ['covered', 'run']) mkdirSync(join(rootfs, name));
    chmodSync(join(rootfs, 'covered'), 0o751);
    mounts!.push({ destination: '/covered', type: 'tmpfs', source: 'tmpfs' });
    mounts!.push({
      destination: '/run',
      type: 'tmpfs',
      source: 'run',
      options: ['size=64k', 'mode=700', 'noexec'],
    });
    mounts!.push({
      destination: '/missing/deep',
      type: 'tmpfs',
      source: 'none',
      options: ['ro', 'nosuid', 'strictatime'],
    });
    mounts!.push({ destination: '/memory', type: 'ramfs', source: 'ram', options: ['nodev'] });
  },

  devices: ({ linux }) => {
    linux!.devices = [
      { type: 'c', path: '/dev/one', major: 10, minor: 200, fileMode: 0o600, uid: 7, gid: 8 },
      { type: 'b', path: '/dev/two', major: 7, minor: 0, fileMode: 0o640 },
      { type: 'p', path: '/dev/three', fileMode: 0o622 },
      { type: 'c', path: '/dev/deep/null', major: 1, minor: 3 },
    ];
  },

  'masked and read-only paths of the rootfs': ({ linux }, { rootfs }) => {
    mkdirSync(join(rootfs, 'etc/secrets'));
    writeFileSync(join(rootfs, 'etc/secret'), 'secret');
    symlinkSync('/etc/secrets', join(rootfs, 'link'));
    linux!.maskedPaths = ['/etc/secret', '/etc/secrets', '/missing', '/proc/kcore'];
    linux!.readonlyPaths = ['/tmp', '/payload', '/missing'];
  },

  'limits and scheduling': ({ process, linux }) => {
    process.rlimits = [
      { type: 'RLIMIT_CORE', soft: 1, hard: 2 },
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_AS', soft: 1e9, hard: 2e9 },
    ];
    process.oomScoreAdj = 300;
    linux!.personality = { domain: 'LINUX32' };
  },

  'no limits of its own': ({ process }) => {
    process.rlimits = [];
  },

  'a shared root': ({ linux }) => {
    linux!.rootfsPropagation = 'rshared';
  },
  'a private root': ({ linux }) => {
    linux!.rootfsPropagation = 'rprivate';
  },

  'a working directory that is missing, and HOME from passwd': (config, { rootfs }) => {
    config.process.cwd = '/srv/work';
    config.process.env = ['A=1', 'A=2', 'EMPTY='];
    writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  },
};
