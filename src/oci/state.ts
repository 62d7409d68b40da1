// The type of the state JSON: what `tinyrun state` prints and hooks read on stdin. OCI runtime.md, "State"; the fields
// after `annotations` are runc's additions, which engines and scripts read.

/** `paused` is runc's extension; the others are the spec's. */
export type Status = 'creating' | 'created' | 'running' | 'stopped' | 'paused';

export interface State {
  ociVersion: string;
  id: string;
  status: Status;
  /** Of the container process, in the runtime's pid namespace; 0 once it is stopped. */
  pid: number;
  /** Absolute path. */
  bundle: string;
  annotations?: Record<string, string>;
  /** Absolute path of the root filesystem on the host. */
  rootfs: string;
  /** RFC 3339, UTC. */
  created: string;
  /** Name of the user who made the container; empty if the uid has no name. */
  owner: string;
}

/** As `tinyrun state` prints it, indented as runc does. */
export const formatState = (state: State): string => `${JSON.stringify(state, undefined, 2)}\n`;

/** DATA_ROOT/containers, which is locked while a place in it is taken. */
export const containersDirectory = (dataRoot: string): string => `${dataRoot}/containers`;
/** Where a container's own files are; of one with a record it is the bundle as well. */
export const containerDirectory = (dataRoot: string, id: string): string => `${dataRoot}/containers/${id}`;

/** In that directory: the record of a container that stays until it is removed (src/container/record.ts). */
export const CONTAINER_RECORD = 'container.json';
/** In the same place, of any container: what it mounts (src/volume/uses.ts). */
export const USES = 'mounts.json';
/** Beside that: more is to be undone at the container's end. */
export const UNDO = 'undo';

// Files of a state directory that the plan makes and others use; spec/lifecycle.md, "Files".

/** What proc_pid_stat(5) said of init when it was made; its lock is held by who changes the container. */
export const INIT_STAT = 'init.stat';
/** Where a file is written that then takes the place of an older one. */
export const ASIDE = 'state.json.tmp';

/**
 * The fifo that a created container waits at, in its state directory, and its name while the container is being made.
 * The plan makes it, `start` writes to it, and which of the two is there tells the status.
 */
export const EXEC_FIFO = 'exec.fifo';
export const CREATING_FIFO = 'creating.fifo';
/** What programs for verbs go by (plan/verbs.ts); and the first, while the container is paused. */
export const INIT_PIDFD = 'init.pidfd';
export const PAUSED_PIDFD = 'paused.pidfd';
export const STATE_TEXT = 'state.text';
export const CGROUP_PATHS = 'cgroup.paths';

/** How the container ended, and when: of one that its host program has waited for, and that stays. */
export const EXIT = 'exit';

/** Tells that the rootfs is mounted on itself in the caller's mount namespace, by a container that has none of its own. */
export const MOUNTED = 'mounted';

/**
 * A symlink to DATA_ROOT/containers/ID of a container that got mounts while it ran, which are undone by who removes the
 * directory. It is in no list of what a program removes: so a program that finds the directory not empty leaves it to one
 * that can loop.
 */
export const ATTACHED = 'attached';

/** criu writes it while a container is restored; it is gone as soon as it is read. */
export const CRIU_PID = 'criu.pid';

/** What stands in a state directory, in the order of removal: state.json last, since it says what else there is. */
export const STATE_FILES = ['config.json', INIT_STAT, ASIDE, 'state.json'];
/** And in that of one that others than its host program deal with. */
export const SHARED_FILES = [CREATING_FIFO, EXEC_FIFO, STATE_TEXT, CGROUP_PATHS, INIT_PIDFD, EXIT];
