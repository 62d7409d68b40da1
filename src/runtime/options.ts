// What the command line asks for, once parsed: the same object from the fast path and from yargs.

import type { Process } from '../oci/config.ts';
import type { FlagMount, KeptLayer, MonitorInput, PlanInput } from '../plan/input.ts';

/** Options before the command, runc's global ones. */
export interface GlobalOptions {
  /** State root, absolute: one directory a container, gone at reboot. Default /run/tinyrun. */
  root: string;
  /** What survives a reboot, absolute: containers' own layers, volumes. Default /var/lib/tinyrun. */
  dataRoot: string;
  /** File that messages are appended to, absolute; undefined: stderr only. */
  log: string | undefined;
  logFormat: 'text' | 'json';
  debug: boolean;
  /** Whether callers who are not root get containers: `auto` and `true` where the config has a user namespace. */
  rootless: 'auto' | 'true' | 'false';
  /** Who makes cgroups: tinyrun by their filesystems, systemd by D-Bus, nobody. */
  cgroupManager: 'cgroupfs' | 'systemd' | 'disabled';
}

/** What a container with a record has besides its config: its bundle is DATA_ROOT/containers/ID. */
export interface ContainerOptions {
  /** Lowest first, its init layer on top. */
  layers: readonly string[];
  own: KeptLayer;
  /** Its volumes and binds, mounted behind the config's own. */
  mounts: readonly FlagMount[];
  monitor: MonitorInput;
}

/** `tinyrun run` and `tinyrun create`. */
export interface RunOptions {
  lifecycle: PlanInput['lifecycle'];
  /**
   * Which of its forms: `run BUNDLE [-- ARGS]` as in Docker, or `run [--bundle B] ID` as in runc; or a container that has a
   * record (src/container/), which it starts.
   */
  form: 'bundle' | 'runc' | 'container';
  /** That it is this form was found out by what is there: `run NAME`. */
  found: boolean;
  /** Of form `container`. */
  container: ContainerOptions | undefined;
  bundle: string; // absolute
  /** Another file than the bundle's config.json; absolute. */
  configFile: string | undefined;
  /** The id: given (runc's form, `--name`) or generated. */
  id: string;
  /** It has a name (`--name`): kept until deleted, unless `remove`. */
  named: boolean;
  keep: boolean;
  remove: boolean;
  /** Replace process.args when given. */
  args: string[] | undefined;
  overlay: boolean;
  volumes: string[];
  mounts: string[];
  tmpfs: string[];
  volumesFrom: string[];
  /** Of the volumes of -v that are made. */
  volumeDriver: string | undefined;
  hostname: string | undefined;
  addHosts: string[];
  dns: string[];
  dnsSearch: string[];
  /** Process 1 is an init of tinyrun's own. */
  init: boolean;
  noPivot: boolean;
  noNewKeyring: boolean;
  /** Descriptors from 3 on that are passed: first those of socket activation, which the container is told of. */
  listenFds: number;
  preserveFds: number;
  /** NOTIFY_SOCKET of the environment, sd_notify(3). */
  notifySocket: string | undefined;
  pidFile: string | undefined; // absolute
  consoleSocket: string | undefined; // absolute
  pidfdSocket: string | undefined; // absolute
  engine: 'native' | 'ffi';
  /** File or fd number that each op is shown on as it ends. */
  trace: string | undefined;
  /** Fd from which one byte is read before each op. */
  stepFd: number | undefined;
}

/** `tinyrun exec`. */
export interface ExecOptions {
  id: string;
  /** File with a whole process object, absolute: then the other fields about the process have no meaning. */
  processFile: string | undefined;
  /** The same object, where somebody has it already. */
  process: Process | undefined;
  args: string[];
  env: string[];
  /** `UID[:GID]`. */
  user: string | undefined;
  additionalGids: string[];
  cwd: string | undefined;
  capabilities: string[];
  /** undefined: as the container's process. */
  noNewPrivileges: boolean | undefined;
  apparmorProfile: string | undefined;
  selinuxLabel: string | undefined;
  terminal: boolean;
  detach: boolean;
  ignorePaused: boolean;
  /** `[CONTROLLER[,CONTROLLER]:]PATH`: sub-cgroups of the container's. */
  cgroups: string[];
  pidFile: string | undefined; // absolute
  consoleSocket: string | undefined; // absolute
  pidfdSocket: string | undefined; // absolute
  /** Descriptors from 3 on that are passed: first those of socket activation. */
  listenFds: number;
  preserveFds: number;
  engine: RunOptions['engine'];
  trace: string | undefined;
  stepFd: number | undefined;
}
