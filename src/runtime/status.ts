// Which status a container has, and what may be done in it: OCI runtime.md, "State" and "Lifecycle". Pure: the texts
// of /proc come as arguments.

import { TinyrunError } from '../errors.ts';
import type { Status } from '../oci/state.ts';

/** What proc_pid_stat(5) says that tells one process from another. */
export interface ProcessStat {
  /** `R`, `S`, ...; `Z` has ended and waits for its parent, `X` is past its last instruction. */
  state: string;
  /** In clock ticks since boot: with the pid, it names one process for ever. */
  startTime: string;
}

/** In the flags of proc_pid_stat(5): the kernel is taking the process down, which lasts milliseconds with its mounts. */
const PF_EXITING = 0x4; // <linux/sched.h>

/** Parses /proc/PID/stat. The second field is the program's name in parentheses, and may hold any of the others. */
export function parseStat(text: string): ProcessStat | undefined {
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const [state, flags, startTime] = [fields[0], fields[6], fields[19]]; // fields 3, 9 and 22
  if (close < 0 || state === undefined || startTime === undefined) return undefined;
  const exiting = state !== 'Z' && (Number(flags) & PF_EXITING) !== 0;
  return { state: exiting ? 'X' : state, startTime };
}

/** Which fifo is in the state directory: a container that was started has none. */
export type Fifo = 'creating' | 'created' | 'none';

/**
 * @param created init when it was created; undefined: it is not born yet
 * @param now the process that has its pid now; undefined if there is none
 * @param fifo asked only where there is an init
 * @param isFrozen whether the container's own cgroup is frozen; asked only of one that is there to be paused
 */
export function statusOf(
  created: ProcessStat | undefined,
  now: ProcessStat | undefined,
  fifo: () => Fifo,
  isFrozen: () => boolean,
): Status {
  if (created === undefined || now === undefined || created.startTime !== now.startTime) return 'stopped';
  if (now.state === 'Z' || now.state === 'X') return 'stopped';
  const waits = fifo();
  if (waits !== 'creating' && isFrozen()) return 'paused';
  return waits === 'none' ? 'running' : waits;
}

export type Operation =
  | 'start'
  | 'kill'
  | 'delete'
  | 'pause'
  | 'resume'
  | 'update'
  | 'checkpoint'
  | 'exec'
  | 'exec-ignore-paused'
  | 'mount';

interface Transition {
  from: readonly Status[];
  /** undefined: the container is gone. */
  to: Status | 'as before' | undefined;
  /** runc's words for any other status. */
  refusal: (id: string, status: Status) => string;
}

const execRefusal = (_id: string, status: Status): string =>
  status === 'paused'
    ? 'cannot exec in a paused container (use --ignore-paused to override)'
    : `cannot exec in a ${status === 'creating' ? 'container that is being created' : `${status} container`}`;

/** The legal transitions. `create` has none: there is no container before it, and it ends in `created`. */
export const transitions: Readonly<Record<Operation, Transition>> = {
  start: {
    from: ['created'],
    to: 'running',
    refusal: (id, status) => {
      if (status === 'running') return `container ${id}: cannot start an already running container`;
      if (status === 'stopped') return `container ${id}: cannot start a container that has stopped`;
      return `container ${id}: cannot start a container in the ${status} state`;
    },
  },
  kill: {
    from: ['created', 'running', 'paused'],
    to: 'stopped',
    refusal: (id, status) => `cannot kill container ${id}: container not running: ${status}`,
  },
  delete: {
    from: ['stopped'],
    to: undefined,
    refusal: (id, status) => `cannot delete container ${id} that is not stopped: ${status}`,
  },
  pause: {
    from: ['created', 'running'],
    to: 'paused',
    refusal: (id, status) => `cannot pause container ${id}: container not running: ${status}`,
  },
  // One that was paused before it was started is `created` again: its fifo is still there.
  resume: {
    from: ['paused'],
    to: 'running',
    refusal: (id, status) => `cannot resume container ${id}: container not paused: ${status}`,
  },
  update: {
    from: ['created', 'running', 'paused'],
    to: 'as before',
    refusal: (id, status) => `cannot update container ${id}: container not running: ${status}`,
  },
  // `as before` with --leave-running and --pre-dump. `restore` has none: as `create`, it has no container before it.
  checkpoint: {
    from: ['running'],
    to: undefined,
    refusal: (id, status) => `container ${id} cannot be checkpointed in ${status} state`,
  },
  exec: { from: ['created', 'running'], to: 'as before', refusal: execRefusal },
  'exec-ignore-paused': { from: ['created', 'running', 'paused'], to: 'as before', refusal: execRefusal },
  // Of `volume attach` and `volume detach`.
  mount: {
    from: ['created', 'running', 'paused'],
    to: 'as before',
    refusal: (id, status) => `cannot change the mounts of container ${id}: container not running: ${status}`,
  },
};

/** @throws TinyrunError STATE if the operation is not legal in this status */
export function assertLegal(operation: Operation, id: string, status: Status): void {
  if (!transitions[operation].from.includes(status)) throw refusal(operation, id, status);
}

/** Why an operation is not legal. */
export const refusal = (operation: Operation, id: string, status: Status): TinyrunError =>
  new TinyrunError('STATE', transitions[operation].refusal(id, status), { data: { id, status } });
