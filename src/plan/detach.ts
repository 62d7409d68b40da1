// How a container outlives the host program: `create`, whose init waits until `start` releases it, and `run --detach`.
// OCI runtime.md, "Lifecycle".
//
//   host (create)                         init
//   ─ creating.fifo, pipes, clone3 ─────> ...
//   ─ reads `failed`                      all is set up, and the program is there
//     <──────────── r ────────────────── ─ no longer dies with the host program; waits at the fifo
//   ─ exec.fifo, pid file; ends           .
//                    start ─── byte ────> execve
//
// With `run --detach` init goes on at once, and the end of the pipe, which execve closes, tells that the program runs. Any
// other byte means that setting up failed, as in the foreground.

import { CREATING_FIFO, EXEC_FIFO } from '../oci/state.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { hasHooks } from './hook-points.ts';
import { hookRun, planHooksAt } from './hooks.ts';
import type { PlanInput } from './input.ts';
import { READY } from './lifeline.ts';
import { planPidFile } from './pid.ts';
import { planShrinkParts } from './shrink.ts';
import { runtime } from './words.ts';

const OUTLIVE = 'From here on the container stands by itself: nobody has to stay beside it.';

const KNOWN = 'Nobody could find and end a container that stands alone, and whose pid is written nowhere.';

/** Host program, when the pid of init is in its place. */
export function planSayKnown({ lifecycle }: PlanInput): Op[] {
  if (lifecycle === 'foreground') return [];
  return [
    o.write(o.reg('life-w'), 'p', 1, {
      ...runtime('tell init that its pid is known', KNOWN),
      onError: { ignore: ['EPIPE'] }, // it has ended already, which is seen below
    }),
  ];
}

/** Init program, where the death of the host program is watched otherwise: the container outlives it. */
export function planStandAlone(): Op[] {
  return [
    o.read(o.reg('life-r'), o.buf('byte'), 1, {
      ...runtime('wait until the pid of init is known', KNOWN),
      to: 'size',
    }),
    o.branch('size', '!=', 1, 'end-init', runtime('or is the host program gone?', KNOWN)),
    o.prctl('PR_SET_PDEATHSIG', [0], runtime('no longer die with the host program', OUTLIVE)),
  ];
}

/** Init program, when all is set up: says so, and as a created container sleeps until `start`. */
export function planReady(input: PlanInput): Op[] {
  if (input.lifecycle === 'foreground') return [];
  const start = 'The program of the config runs when `start` says so: until then only its world is there.';
  return [
    o.write(o.reg('failed-w'), 'r', 1, {
      ...runtime('tell the host program that all is set up', 'It lets go of the container then.'),
      onError: { ignore: ['EPIPE'] }, // it was killed just now: who cleans up after it ends us as well
    }),
    ...(input.lifecycle === 'detached'
      ? []
      : [
          ...planForgetStderr(input),
          ...keptForReport(input)
            .filter((fd) => fd !== 'stderr') // closed above
            .map((fd) => o.close(o.reg(fd), runtime(`close ${fd}`, OUTLIVE))),
          ...(hasLog(input) ? [o.set('log', -1, runtime('forget the log file', OUTLIVE))] : []),
          ...planShrinkParts(),
          // execve closes it, by which `start` sees that the program runs (runtime/start.ts).
          o.read(o.reg('fifo'), o.buf('byte'), 1, runtime('wait for start', start)),
        ]),
  ];
}

const hasLog = ({ logFd, logPath }: PlanInput): boolean => (logFd ?? logPath) !== undefined;

/** What init tells failures by, and the host program of its listener, until it waits. */
const keptForReport = (input: PlanInput): string[] => [
  'failed-w',
  ...(input.config.process.terminal ? ['stderr'] : []),
  ...(hasLog(input) ? ['log'] : []),
  ...(input.seccomp?.listener === undefined ? [] : ['seccomp-init']),
];

/**
 * Init program of a created container, before a seccomp filter could forbid it: while it waits, perhaps for long, it keeps
 * nothing but the fifo, what its hooks need, and what is the container's. What is needed until then is moved out of the way,
 * then to the first numbers; all others are closed.
 */
export function planCloseAll(input: PlanInput): Op[] {
  const { preserveFds, trace, step } = input;
  if (input.lifecycle !== 'created') return [];
  if (trace !== undefined || step !== undefined) return []; // the caller follows every op
  const why = 'A process in the container could reach what init has open (CVE-2024-21626).';
  const hooks = hasHooks(input, 'startContainer') ? ['hook-state', 'hook-self'] : [];
  const kept = ['fifo', ...hooks, ...keptForReport(input)];
  const first = 3 + preserveFds;
  const behind = first + kept.length;
  return [
    ...kept.map((fd) =>
      o.call('fcntl', [o.reg(fd), o.flags('F_DUPFD_CLOEXEC'), behind], {
        ...runtime(`move ${fd} to a number from ${behind}`, why),
        to: fd,
      }),
    ),
    ...kept.flatMap((fd, i) => [
      o.call('dup3', [o.reg(fd), first + i, o.flags('O_CLOEXEC')], {
        ...runtime(`make ${fd} descriptor ${first + i}`, why),
        to: fd,
      }),
    ]),
    o.call('close_range', [behind, 0xffffffff, 0], runtime(`close descriptors from ${behind}`, why)),
  ];
}

/** With a terminal, stderr is kept for failures: but who reads it to its end would wait for as long as init does. */
function planForgetStderr({ config }: PlanInput): Op[] {
  if (!config.process.terminal) return [];
  const why =
    "The caller may wait for the end of this pipe: later failures are told on the container's terminal.";
  return [
    o.close(o.reg('stderr'), runtime("close the caller's stderr", why)),
    o.set('stderr', 2, runtime('write failures to the terminal', why)),
  ];
}

/** Host program, in place of waiting for the container's end: waits until it is up, and leaves it. */
export function planDetach(input: PlanInput): Op[] {
  const why = 'Our work is done when the container stands by itself.';
  const said = (what: string): Op =>
    o.read(o.reg('failed-r'), o.buf('byte'), 1, { ...runtime(what, why), to: 'size' });
  return [
    said('wait until init has set up all'),
    o.branch('size', '==', 1, 'init-said', runtime('has init said anything?', why)),
    o.fail(runtime(`set up container ${input.id}: its init was killed`, why)),
    o.label('init-said'),
    o.load(o.buf('byte'), 1, 'said', runtime('what does it say?', why)),
    o.branch('said', '!=', READY, 'init-failed', runtime('that it has failed?', 'It has printed why.')),
    ...(input.lifecycle === 'created'
      ? [
          o.renameat(o.reg('state'), CREATING_FIFO, o.reg('state'), EXEC_FIFO, {
            ...runtime('call the container created', 'From here on `start` finds it.'),
          }),
        ]
      : [
          said('wait until the program runs'), // execve closes the pipe
          o.branch('size', '==', 1, 'init-failed', runtime('has execve failed?', 'It has printed why.')),
          ...planHooksAt(hookRun(input, 'poststart')), // those of `create` are up to `start`
        ]),
    ...planPidFile(input),
    ...(input.printId
      ? [
          o.write(
            1,
            `${input.id}\n`,
            input.id.length + 1,
            runtime('print the id', 'It names the container from now on.'),
          ),
        ]
      : []),
    o.jump('leave', runtime('leave the container to itself', OUTLIVE)),
    o.label('init-failed'),
    o.wait4(o.reg('pid'), o.buf('status'), [], runtime('wait for the end of init', why)),
  ];
}
