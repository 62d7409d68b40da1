// What the process may use and how it is scheduled: rlimits, the OOM score, scheduler, I/O priority, personality.
// OCI config.md, "POSIX process", "Linux Process"; config-linux.md, "Personality".

import type { Rlimit, Scheduler } from '../oci/config.ts';
import type { Arg, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { ProcessInput } from './input.ts';
import { hasUser } from './namespaces.ts';

/** RLIM_INFINITY is -1, or all bits: config.json may say either. */
const limit = (value: number | bigint): bigint => BigInt.asUintN(64, BigInt(value));
const INFINITY = limit(-1);

const shown = (value: number | bigint): string =>
  limit(value) === INFINITY ? 'unlimited' : limit(value).toString();

/** Those of the config, and the one that the JavaScript engine raised, which is given back. */
function listRlimits({ config, host }: ProcessInput): PlannedRlimit[] {
  const why = 'A limit that the config asks for.';
  const rlimits = (config.process.rlimits ?? []).map((rlimit, i) => ({
    rlimit,
    why,
    from: `/process/rlimits/${i}`,
  }));
  const { noFile } = host;
  if (noFile === undefined || rlimits.some(({ rlimit }) => rlimit.type === 'RLIMIT_NOFILE')) return rlimits;
  const raised =
    'The JavaScript engine raised the soft limit at its start: the container gets the one that tinyrun was given.';
  return [...rlimits, { rlimit: { type: 'RLIMIT_NOFILE', ...noFile }, why: raised, from: 'runtime' }];
}

interface PlannedRlimit {
  rlimit: Rlimit;
  why: string;
  from: string;
}

/**
 * Whether init sets it itself, when all else is done. Root of a user namespace only cannot raise limits: there the host
 * program does it. But a low limit of open files must not come before the mounts, and to lower it init has the right.
 */
function isInits({ rlimit: { type, hard } }: PlannedRlimit, input: ProcessInput): boolean {
  if (!hasUser(input)) return true;
  const { noFile } = input.host;
  return type === 'RLIMIT_NOFILE' && noFile !== undefined && limit(hard) <= limit(noFile.hard);
}

/** Init program: prlimit64(2) for itself. */
export function planRlimits(input: ProcessInput): Op[] {
  return listRlimits(input)
    .filter((planned) => isInits(planned, input))
    .map((planned) => planRlimit(planned, 0, input.host));
}

/**
 * Host program: prlimit64(2) for limits that init could not raise.
 * @param pid of init; 0: the caller's own, which its children inherit
 */
export function planRlimitsFromOutside(input: ProcessInput, pid: 0 | { reg: string }): Op[] {
  return listRlimits(input)
    .filter((planned) => !isInits(planned, input))
    .map((planned) => planRlimit(planned, pid, input.host));
}

function planRlimit(
  { rlimit: { type, soft, hard }, why, from }: PlannedRlimit,
  pid: 0 | { reg: string },
  { noFile }: ProcessInput['host'],
): Op {
  const above = type === 'RLIMIT_NOFILE' && noFile !== undefined && limit(hard) > limit(noFile.hard);
  const value: Arg = { struct: 'rlimit64', fields: { rlim_cur: limit(soft), rlim_max: limit(hard) } };
  return o.call('prlimit64', [pid, o.flags(type), value, 0], {
    what: `set ${type} to ${shown(soft)}:${shown(hard)}${above ? ", above tinyrun's own (root may go up to fs.nr_open)" : ''}`,
    why,
    from,
  });
}

/**
 * Writes /proc/PID/oom_score_adj.
 * @param path of the process: a string, or a buffer that holds it
 */
export function planOomScore({ config }: ProcessInput, path: o.Text): Op[] {
  const score = config.process.oomScoreAdj;
  if (score === undefined) return [];
  const words: Words = {
    what: `set the OOM score adjustment to ${score}`,
    why: 'Whom the kernel kills first when memory runs out.',
    from: '/process/oomScoreAdj',
  };
  const text = String(score);
  return [
    o.openat(o.AT_FDCWD, path, ['O_WRONLY'], { ...words, to: 'file' }),
    o.write(o.reg('file'), text, text.length, words),
    o.close(o.reg('file'), words),
  ];
}

/** Scheduler, I/O priority and personality of the calling process; all survive execve. */
export function planScheduling({ config }: ProcessInput): Op[] {
  const { scheduler, ioPriority } = config.process;
  const { personality } = config.linux ?? {};
  const ops: Op[] = [];
  if (scheduler !== undefined) ops.push(planScheduler(scheduler));
  if (ioPriority !== undefined) {
    const value = (IO_CLASSES[ioPriority.class]! << 13) | ioPriority.priority;
    ops.push(
      o.call('ioprio_set', [o.flags('IOPRIO_WHO_PROCESS'), 0, value], {
        what: `set I/O priority ${ioPriority.class} ${ioPriority.priority}`,
        why: 'When its disk requests are served, compared with others.',
        from: '/process/ioPriority',
      }),
    );
  }
  if (personality !== undefined) {
    ops.push(
      o.call('personality', [o.flags(personality.domain === 'LINUX32' ? 'PER_LINUX32' : 'PER_LINUX')], {
        what: `set personality ${personality.domain}`,
        why: 'With LINUX32, uname says that the machine has 32 bits.',
        from: '/linux/personality',
      }),
    );
  }
  return ops;
}

const IO_CLASSES: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

function planScheduler(scheduler: Scheduler): Op {
  const { policy, nice, priority, flags, runtime, deadline, period } = scheduler;
  const fields: Record<string, Arg> = { size: 56, sched_policy: o.flags(policy) };
  if (flags?.length) fields['sched_flags'] = { flags };
  if (nice !== undefined) fields['sched_nice'] = nice;
  if (priority !== undefined) fields['sched_priority'] = priority;
  if (runtime !== undefined) fields['sched_runtime'] = runtime;
  if (deadline !== undefined) fields['sched_deadline'] = deadline;
  if (period !== undefined) fields['sched_period'] = period;
  return o.call('sched_setattr', [0, { struct: 'sched_attr', fields }, 0], {
    what: `set scheduler ${policy}`,
    why: 'How the kernel shares processor time with others.',
    from: '/process/scheduler',
  });
}
