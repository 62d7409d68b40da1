// Everything that a plan depends on. Planning is a pure function of this: no file is read, no host is asked.

import type { CgroupHierarchy, CgroupPlace } from '../cgroup/path.ts';
import type { Config, Mount } from '../oci/config.ts';
import type { Report } from '../program/op.ts';
import type { HostFacts } from './host.ts';

/** A mount asked for on the command line. */
export interface FlagMount {
  mount: Mount;
  /** Make the host directory if it is missing (`-v`), or refuse (`--mount`). */
  createSource: boolean;
  from: string; // '--volume', '--mount', '--tmpfs'
  /** What is there, where that is known already. */
  kind?: SourceKind;
  /** Open descriptor of what is bound; the source is for words only. */
  fd?: number;
  /** Mounted in place of a bind of the source. */
  overlay?: OverlayMountInput;
}

/** Layers that are merged at a mount's destination. Absolute paths. */
export interface OverlayMountInput {
  /** Topmost first. */
  lowers: readonly string[];
  /** Where writes go; absent: nowhere. */
  upper?: string;
  work?: string;
  /** The part to show; relative. */
  subpath?: string;
}

/** What says that the container uses volumes: DATA_ROOT/containers/ID with mounts.json in it (volume/uses.ts). */
export interface UsesInput {
  /** The directory, open and locked: let go when the id is taken. */
  lock: number;
}

/** What was found at a bind's source when planning: decides what is made at its target. */
export type SourceKind = 'directory' | 'file' | 'missing';

/** The rootfs itself, written to in place; or an overlay of read-only layers with an upper layer of its own. */
export type RootfsInput = { kind: 'directory'; path: string } | OverlayInput;

export interface OverlayInput {
  kind: 'overlay';
  /** Absolute paths, lowest first. */
  layers: readonly string[];
  own: NewLayer | KeptLayer;
}

/** The container's own layer and files are made for this run, in containers/ID, and go with it. */
export interface NewLayer {
  kept: false;
  /** Mode and owner of the topmost layer's root: the merged root takes them from the upper directory. */
  mode: number;
  uid: number;
  gid: number;
  /** Contents of the files that are the container's own. */
  files: { hosts: string; hostname: string; 'resolv.conf': string };
}

/** They are there before it starts and after its end; `layers` has its init layer, too. Absolute paths. */
export interface KeptLayer {
  kept: true;
  upper: string;
  work: string;
  merged: string;
  /** The open, locked directory containers/ID: let go when the id is taken. */
  lock: number;
  /** All of it goes at the end (`run --rm`). */
  remove: boolean;
  /** It stays, but its volumes are given back to their drivers at the end. */
  release: boolean;
}

export interface ScopeInput {
  /** `runc-ID.scope` */
  unit: string;
  /** The open pipe that keeps the placeholder in it alive (scope.ts). */
  holder: number;
}

/** The container's own cgroup. */
export interface CgroupInput {
  /** Its directory in each hierarchy that the host has mounted. */
  places: readonly CgroupPlace[];
  /** The controllers of the unified hierarchy, as cgroup.controllers at its top lists them. */
  available: readonly string[];
  /** It was there before the container: it is not removed with it. */
  existing: boolean;
  /** systemd's unit that it is; absent: tinyrun makes it. */
  scope?: ScopeInput;
}

/** An interface that the container takes over, as it is before. */
export interface NetDeviceInput {
  /** Its name on the host, which is its key in linux.netDevices. */
  name: string;
  index: number;
  /** Those that it keeps: permanent, and of global scope. */
  addresses: readonly NetAddressInput[];
}

/** An address as rtnetlink(7) has it. */
export interface NetAddressInput {
  family: number;
  prefix: number;
  /** Of IFA_F_NODAD and the like, what is kept. */
  flags: number;
  /** IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST: number and bytes. */
  attributes: readonly (readonly [type: number, value: Uint8Array])[];
  /** `192.0.2.1/24`, for people. */
  text: string;
}

/** The filesystem of resource control, where the config has linux.intelRdt. */
export interface ResctrlInput {
  mountPoint: string;
  /** Whether the class of the config's closID is there. */
  exists: boolean;
}

/** Who calls without being root: the host program enters the container's user namespace first (plan/rootless.ts). */
export interface RootlessInput {
  uid: number;
  gid: number;
}

export type SecurityModule = 'apparmor' | 'selinux';

/** Facts about the terminal that a foreground run relays. */
export interface TerminalInput {
  /** Which of the caller's fds is a terminal (0, 1 or 2); undefined: none, only the output is relayed. */
  fd: number | undefined;
  rows: number;
  columns: number;
  /** Its struct termios as it is, and as cfmakeraw(3) would make it. */
  saved: Uint8Array;
  raw: Uint8Array;
}

/** A compiled seccomp filter. */
export interface SeccompInput {
  /** Struct sock_filter, one behind the other. */
  filter: Uint8Array;
  /** Of seccomp(2), by name; with SECCOMP_FILTER_FLAG_NEW_LISTENER there is a `listener`. */
  flags: readonly string[];
  /** Who answers the calls that the filter asks about: a socket of the host, and a text for it. */
  listener?: { path: string; metadata: string } | undefined;
}

/** How the output of a container is kept (plan/output-log.ts). */
export interface LogInput {
  /** Bytes from which on another file is begun; undefined: never. */
  maxSize: number | undefined;
  /** How many files there are at most, 1 or more. */
  maxFiles: number;
}

/** A caller who stays with a container until its end. */
export interface AttachInput {
  /** Which of his streams are the container's. */
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** His signals go to the container; otherwise they are his own, and the container goes on without him. */
  sigProxy: boolean;
  /** Keys that let go of the container's terminal, as bytes; none: nothing does. */
  detachKeys: readonly number[];
}

/** What the host program keeps of a container with a record (plan/monitor.ts). */
export interface MonitorInput {
  /** DATA_ROOT/containers/ID, absolute: `log`, `started`, `exit` and `oom` are written there. */
  directory: string;
  /** undefined: the output is not kept. */
  log: LogInput | undefined;
  /** undefined: the caller is let go when the container runs. */
  attach: AttachInput | undefined;
  /** stdin is a pipe that callers may write to (with a terminal, they may type), and not /dev/null. */
  openStdin: boolean;
  /** Its end is that of the first caller's. */
  stdinOnce: boolean;
  /** What a caller who is let go is told on stdout: `ID\n`. */
  say: string;
  /** What the caller's process exits with where the container does not come to run; undefined: as the monitor does. */
  failure?: number | undefined;
}

export interface PlanInput {
  config: Config; // validated
  host: HostFacts;
  id: string;
  bundle: string; // absolute
  /** Where the config was read; absolute. */
  configPath: string;
  stateRoot: string; // absolute
  /** The container's own files, and what says which volumes it uses, are in containers/ID below it; absolute. */
  dataRoot: string;
  /** undefined: the caller is root, if only of a user namespace around. */
  rootless: RootlessInput | undefined;
  /** `run`, which ends with the container; `run --detach`; `create`, whose container waits for `start`. */
  lifecycle: 'foreground' | 'detached' | 'created';
  rootfs: RootfsInput;
  /** The mounts of config.json in their order, where some of them are volumes; undefined: as they stand there. */
  configMounts?: readonly FlagMount[] | undefined;
  flagMounts: readonly FlagMount[];
  uses?: UsesInput | undefined;
  /** What is at each bind source, and at each masked path of the host's own proc and sysfs (absolute paths). */
  sources: ReadonlyMap<string, SourceKind>;
  /** Clean mount destinations that are in the rootfs, and no part of whose way is a symlink. */
  present: ReadonlySet<string>;
  /** Clean mount destinations that lead through a dangling symlink -> the path that it points to inside the rootfs. */
  resolved: ReadonlyMap<string, string>;
  /** The caller's own environment, `NAME=value`, where hooks get it; else empty. */
  environment: readonly string[];
  /** HOME of the process' user in the rootfs' /etc/passwd, for configs that set none. */
  home: string;
  /** All hierarchies of the host; empty where nothing asks for them. */
  cgroups: readonly CgroupHierarchy[];
  /** Which of the security modules that the config asks for this kernel has switched on. */
  securityModules: readonly SecurityModule[];
  /** undefined where it is not mounted, or not asked for. */
  resctrl: ResctrlInput | undefined;
  /** Facts of linux.netDevices, in its order. */
  netDevices: readonly NetDeviceInput[];
  /** undefined: it stays in the caller's (`--cgroup-manager disabled`). */
  cgroup: CgroupInput | undefined;
  /** Detached: say the id on stdout when the container runs, as Docker does. */
  printId: boolean;
  /** Leave nothing behind at the end; otherwise the stopped container stays until deleted. */
  transient: boolean;
  /** What the command line has in place of the config's process.args; `config` has them already. */
  args: readonly string[] | undefined;
  /** Of a container with a record, whose lifecycle is `foreground`, with its caller or without; else undefined. */
  monitor: MonitorInput | undefined;
  /** Process 1 is an init of ours, and the container's process its child (`--init`). */
  init: boolean;
  /** Exit codes of failures: of the runtime, of a program that cannot be executed, of one that is not there. */
  exits: { failure: number; notExecutable: number; notFound: number };
  noPivot: boolean;
  /** Keep the caller's session keyring. */
  noNewKeyring: boolean;
  preserveFds: number;
  pidFile: string | undefined; // absolute
  /** Sockets that receive the master of the terminal, and a pidfd of init; absolute paths. */
  consoleSocket: string | undefined;
  pidfdSocket: string | undefined;
  terminal: TerminalInput | undefined;
  seccomp: SeccompInput | undefined;
  /** The tinyrun executable, for work that no program can do: removing a tree, copying one. */
  self: readonly string[];
  reports: readonly Report[];
  /** Open file of --log, which the reports' register `log` gets. */
  logFd: number | undefined;
  /** In place of it: the path of the file, which the program opens by itself, and may so be kept. */
  logPath?: string | undefined;
  trace: number | undefined;
  step: number | undefined;
}

/** What concerns a process that is started: a container's first one, or one that `exec` adds to it. */
export type ProcessInput = Pick<
  PlanInput,
  | 'config'
  | 'host'
  | 'id'
  | 'bundle'
  | 'seccomp'
  | 'rootless'
  | 'securityModules'
  | 'noNewKeyring'
  | 'lifecycle'
  | 'monitor'
  | 'home'
  | 'exits'
  | 'preserveFds'
  | 'pidFile'
  | 'consoleSocket'
  | 'pidfdSocket'
  | 'terminal'
  | 'reports'
  | 'logFd'
  | 'logPath'
  | 'trace'
  | 'step'
>;

/** `config` is the container's, with `process` of the one to start; `lifecycle` is never `created`. */
export interface ExecInput extends ProcessInput {
  /**
   * Init of the container, and an open pidfd of it, which was looked at: it names no other process. Or the state root: the
   * program opens the pidfd by itself (init-pidfd.ts), and serves again for others.
   */
  init: { pid: number; fd: number } | { stateRoot: string };
  /** The container was made by chroot: its root is not that of its mount namespace. */
  chroot: boolean;
  /** Directories of the cgroups to join, absolute. */
  cgroups: readonly { controllers: string; path: string }[];
  /** How many of the preserved descriptors are sockets that the process is to be told of: sd_listen_fds(3). */
  listenFds: number;
}
