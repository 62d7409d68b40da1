// Containers with a record that were never made: what `ps` and `inspect` read of them is written by hand.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { HostConfig } from '../../src/container/config.ts';
import type { ContainerRecord } from '../../src/container/record.ts';

const hostConfig: HostConfig = {
  ...{ Binds: [], Mounts: [], Tmpfs: [], VolumesFrom: [], VolumeDriver: '', ContainerIDFile: '' },
  ...{ LogConfig: { Type: 'json-file', Config: {} }, NetworkMode: 'none', PidMode: '', IpcMode: 'private' },
  ...{
    UTSMode: '',
    UsernsMode: '',
    CgroupnsMode: 'private',
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  },
  ...{ AutoRemove: false, Annotations: {}, CapAdd: [], CapDrop: [], GroupAdd: [], Privileged: false },
  ...{ ReadonlyRootfs: false, SecurityOpt: [], Dns: [], DnsOptions: [], DnsSearch: [], ExtraHosts: [] },
  ...{ OomScoreAdj: 0, ShmSize: 67108864, Sysctls: {}, Devices: [], Ulimits: [], Memory: 0 },
  ...{ MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null },
  ...{ NanoCpus: 0, CpuShares: 0, CpusetCpus: '', CpusetMems: '' },
  ...{ PidsLimit: 0, BlkioWeight: 0, CgroupParent: '', Init: false },
};

export interface MadeUp {
  /** Its id is this, repeated up to 64 digits. */
  digits: string;
  name: string;
  /** Seconds ago. */
  created: number;
  labels?: Record<string, string>;
  command?: string[];
  /** How long ago it was started, and ended with which code. */
  started?: number;
  exit?: { code: number; ago: number };
}

export const idOf = (digits: string): string => digits.repeat(64).slice(0, 64);

/** Writes the record of a container, and what its host program would have left. Returns its id. */
export function makeUp(
  dataRoot: string,
  { digits, name, created, labels = {}, command = ['sleep', '60'], ...times }: MadeUp,
): string {
  const id = idOf(digits);
  const directory = `${dataRoot}/containers/${id}`;
  mkdirSync(directory, { recursive: true });
  mkdirSync(`${dataRoot}/names`, { recursive: true });
  symlinkSync(id, `${dataRoot}/names/${name}`);
  const record: ContainerRecord = {
    ...{ id, name, created: new Date(Date.now() - created * 1000).toISOString() },
    ...{ image: 'bb', imageId: `sha256:${idOf('e')}`, chainId: undefined, hostConfig },
    config: {
      ...{
        Hostname: '',
        Domainname: '',
        User: '',
        AttachStdin: false,
        AttachStdout: true,
        AttachStderr: true,
      },
      ...{ Tty: false, OpenStdin: false, StdinOnce: false, Env: ['A=1'], Cmd: command, Image: 'bb' },
      ...{ Volumes: { '/v': {} }, WorkingDir: '', Entrypoint: null, Labels: labels },
    },
  };
  writeFileSync(`${directory}/container.json`, JSON.stringify(record));
  const seconds = (ago: number): number => Math.floor(Date.now() / 1000) - ago;
  if (times.started !== undefined) writeFileSync(`${directory}/started`, `${seconds(times.started)} 0\n`);
  if (times.exit !== undefined)
    writeFileSync(`${directory}/exit`, `${times.exit.code} ${seconds(times.exit.ago)} 0\n`);
  return id;
}
