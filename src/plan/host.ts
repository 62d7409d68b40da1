// What the planner knows about the host. The planner never looks itself (that is runtime/probe*.ts): the same config,
// flags and host facts always give the same programs, so tests can pretend any host.

/** Facts of the host and of the calling process, gathered before planning. */
export interface HostFacts {
  arch: 'x64' | 'arm64';
  euid: number;
  /** The caller is in a user namespace already, as rootless engines are: root there is a user of the host. */
  inUserNamespace: boolean;
  /** `uname -r`, as [major, minor]. */
  kernel: readonly [number, number];
  /** The host's own hostname, for containers that share its uts namespace. */
  hostname: string;
  /** Bit masks of /proc/self/status: capabilities that can be granted at all, and what the caller ignores. */
  capBounding: bigint;
  sigIgnored: bigint;
  /** The caller's soft and hard RLIMIT_NOFILE from before the JavaScript engine raised it; undefined: not known. */
  noFile: { soft: number; hard: number } | undefined;
  /** The caller's umask is not inherited; its working directory is only used to make paths absolute. */
  cwd: string;
  /** The time of planning, in milliseconds since 1970: for state.json and for JSON log lines. */
  now: number;
}
