// A made-up container for tests of what is made of its record, and what its start would find on a quiet host.

import type { HostConfig } from '../../src/container/config.ts';
import type { StartFacts } from '../../src/container/oci-config.ts';
import type { ContainerRecord } from '../../src/container/record.ts';
import { parseSecurityOptions } from '../../src/container/security-opt.ts';

export const HOST_CONFIG: HostConfig = {
  ...{ Binds: [], Mounts: [], Tmpfs: [], VolumesFrom: [], VolumeDriver: '', ContainerIDFile: '' },
  LogConfig: { Type: 'json-file', Config: {} },
  ...{ NetworkMode: 'none', PidMode: '', IpcMode: 'private', UTSMode: '', UsernsMode: '' },
  CgroupnsMode: 'host',
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  ...{ AutoRemove: false, Annotations: {}, CapAdd: [], CapDrop: [], GroupAdd: [], Privileged: false },
  ...{ ReadonlyRootfs: false, SecurityOpt: [], Dns: [], DnsOptions: [], DnsSearch: [], ExtraHosts: [] },
  ...{ OomScoreAdj: 0, ShmSize: 64 << 20, Sysctls: {}, Devices: [], Ulimits: [] },
  ...{ Memory: 0, MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null },
  ...{ NanoCpus: 0, CpuShares: 0, CpusetCpus: '' },
  ...{ CpusetMems: '', PidsLimit: 0, BlkioWeight: 0, CgroupParent: '', Init: false },
};

/** A container `c1` of image `bb`, but for these. */
export function recordOf(
  hostConfig: Partial<HostConfig> = {},
  config: Partial<ContainerRecord['config']> = {},
): ContainerRecord {
  return {
    id: 'c'.repeat(64),
    name: 'c1',
    created: '2030-01-02T03:04:05.000Z',
    image: 'bb',
    imageId: `sha256:${'1'.repeat(64)}`,
    chainId: `sha256:${'2'.repeat(64)}`,
    config: {
      ...{
        Hostname: 'c1',
        Domainname: '',
        User: '',
        AttachStdin: false,
        AttachStdout: true,
        AttachStderr: true,
      },
      ...{ Tty: false, OpenStdin: false, StdinOnce: false, Env: ['A=1'], Cmd: ['sh'], Image: 'bb' },
      ...{ Volumes: null, WorkingDir: '', Entrypoint: null, Labels: {} },
      ...config,
    },
    hostConfig: { ...HOST_CONFIG, ...hostConfig },
  };
}

export const CAPABILITIES = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_MKNOD'];

export function factsOf(record: ContainerRecord, more: Partial<StartFacts> = {}): StartFacts {
  return {
    merged: '/merged',
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    joined: {},
    devices: [],
    capabilities: CAPABILITIES,
    security: parseSecurityOptions(record.hostConfig.SecurityOpt),
    seccomp: undefined,
    hostMaskedPaths: [],
    ...more,
  };
}
