// What a container was asked to be: Docker's two objects, with Docker's names, as `inspect` shows them. `Config` travels with
// an image, `HostConfig` is about this host. Only types: options.ts makes them of flags, oci-config.ts a config.json of them.

/** What the program is, and its surroundings inside the container: an image's config with the flags on top. */
export interface ContainerConfig {
  Hostname: string;
  Domainname: string;
  /** `USER[:GROUP]`, names or numbers; empty: root. */
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  /** `80/tcp` -> {} */
  ExposedPorts?: Record<string, object>;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  /** `NAME=value` each. */
  Env: string[];
  Cmd: string[] | null;
  /** The image as it was given. */
  Image: string;
  /** Destinations of the image's and the flags' anonymous volumes. */
  Volumes: Record<string, object> | null;
  WorkingDir: string;
  Entrypoint: string[] | null;
  Labels: Record<string, string>;
  StopSignal?: string;
  /** Seconds; -1: it is waited for without end. */
  StopTimeout?: number;
}

/** A device of the host that the container may use. */
export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  /** Of `rwm`. */
  CgroupPermissions: string;
}

export interface Ulimit {
  /** `nofile` */
  Name: string;
  Soft: number;
  Hard: number;
}

export interface HostConfig {
  /** The values of --volume, --mount and --tmpfs, as they were given. */
  Binds: string[];
  Mounts: string[];
  Tmpfs: string[];
  /** `CONTAINER[:ro|rw]` */
  VolumesFrom: string[];
  /** Driver of volumes whose flag names none; empty: local. */
  VolumeDriver: string;
  ContainerIDFile: string;
  LogConfig: { Type: 'json-file' | 'none'; Config: Record<string, string> };
  /** `none`, `host`, or `container:ID`; the same for the three below, as far as they know it. */
  NetworkMode: string;
  PidMode: string;
  /** `private`, `shareable`, `host`, `container:ID`, `none` */
  IpcMode: string;
  UTSMode: string;
  UsernsMode: string;
  CgroupnsMode: 'private' | 'host';
  RestartPolicy: { Name: 'no'; MaximumRetryCount: number };
  AutoRemove: boolean;
  Annotations: Record<string, string>;
  CapAdd: string[];
  CapDrop: string[];
  GroupAdd: string[];
  Privileged: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: string[];
  Dns: string[];
  DnsOptions: string[];
  DnsSearch: string[];
  /** `NAME:ADDRESS` each. */
  ExtraHosts: string[];
  OomScoreAdj: number;
  /** Bytes. */
  ShmSize: number;
  Sysctls: Record<string, string>;
  Devices: DeviceMapping[];
  Ulimits: Ulimit[];
  /** The limits: 0 is none. Memory in bytes; swap -1 is no limit; NanoCpus are 10^-9 of a CPU. */
  Memory: number;
  MemoryReservation: number;
  MemorySwap: number;
  /** 0 to 100; null: that of the host. */
  MemorySwappiness: number | null;
  NanoCpus: number;
  CpuShares: number;
  CpusetCpus: string;
  CpusetMems: string;
  PidsLimit: number;
  BlkioWeight: number;
  CgroupParent: string;
  /** A small init of ours is process 1 and starts the program as its child. */
  Init: boolean;
}
