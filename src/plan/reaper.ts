// `--init`: process 1 is a small init of ours, the interpreter itself, and the container's process its child. It hands
// signals on, takes leave of all who have ended without a parent, and ends with the child's exit code. pid_namespaces(7).
//
// It has the container's rights and is under its seccomp filter: hence clone(2), since filters often refuse clone3.

import type { Buffer, Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { hasNew } from './namespaces.ts';
import { planShrinkParts } from './shrink.ts';
import { planRestoreSignals } from './signals.ts';
import { ioctl } from './terminal.ts';

const REAP =
  'Process 1 is the parent of all whose own has ended: if it does not wait for them, they stay as zombies.';
const GROUP = 'Ctrl-C reaches the child by the terminal: process 1 must not hand it on a second time.';
const words = (what: string, why = REAP) => ({ what, why, from: '--init' });

export const reaperBuffers = ({ init }: Pick<PlanInput, 'init'>): Buffer[] =>
  init
    ? [
        { name: 'childstatus', size: 8 },
        { name: 'group', size: 8 },
      ]
    : [];

/** Init program, before its execve: goes on as the child; process 1 stays here. */
export function planReaper(input: PlanInput): Op[] {
  if (!input.init) return [];
  return [
    ...(hasNew(input, 'pid')
      ? []
      : [o.prctl('PR_SET_CHILD_SUBREAPER', [1], words('be the parent of those who lose theirs', REAP))]),
    o.call('clone', [o.flags('SIGCHLD'), 0, 0, 0, 0], { ...words('start the child'), to: 'child' }),
    o.branch('child', '==', 0, 'child', words('are we it?')),
    o.call('close_range', [3, 0xffffffff, 0], words('close all descriptors', 'Process 1 needs none.')),
    ...planShrinkParts(),
    ...planReap(),
    o.label('child'),
    ...planChild(input),
  ];
}

function planReap(): Op[] {
  const end = 'The container ends with its process, and with its exit code.';
  return [
    o.label('reaper-wait'),
    o.call('rt_sigtimedwait', [o.buf('sigset'), o.buf('siginfo'), 0, 8], {
      ...words('wait for a signal'),
      to: 'signal',
      onError: { goto: { EINTR: 'reaper-wait' } },
    }),
    o.branch('signal', '==', o.flags('SIGCHLD'), 'reaper-reap', words('has somebody ended?')),
    o.kill(o.reg('child'), o.reg('signal'), {
      ...words('pass the signal on', 'It means the program, not process 1.'),
      onError: { ignore: ['ESRCH', 'EPERM'] },
    }),
    o.jump('reaper-wait', words('wait for more')),
    o.label('reaper-reap'),
    o.wait4(-1, o.buf('status'), ['WNOHANG'], { ...words('take leave of one'), to: 'reaped' }),
    o.branch('reaped', '==', 0, 'reaper-wait', words('was it the last?')),
    o.wait4(o.reg('child'), o.buf('childstatus'), ['WNOHANG'], {
      ...words('has the child ended?', end),
      to: 'reaped',
      onError: { goto: { ECHILD: 'reaper-end' } }, // it was the one above
    }),
    o.branch('reaped', '==', 0, 'reaper-reap', words('not yet', end)),
    o.load(o.buf('childstatus'), 4, 'status', words('take its wait status', end)),
    o.jump('reaper-ended', words('end with it', end)),
    o.label('reaper-end'),
    o.load(o.buf('status'), 4, 'status', words('take its wait status', end)),
    o.label('reaper-ended'),
    o.exitCode('status', 'exit', words('take the exit code', end)),
    o.exit(o.reg('exit'), words('end as the child has ended', end)),
  ];
}

function planChild(input: PlanInput): Op[] {
  return [
    o.prctl('PR_SET_PDEATHSIG', [o.flags('SIGKILL')], words('die with process 1')),
    o.call('setpgid', [0, 0], words('start a process group', GROUP)),
    ...(input.config.process.terminal
      ? [
          o.call('getpid', [], { ...words('which one is it?', GROUP), to: 'group' }),
          o.store('group', o.buf('group'), 4, words('put it into a buffer', GROUP)),
          ioctl(0, 'TIOCSPGRP', o.buf('group'), words('give it the terminal', GROUP)),
        ]
      : []),
    ...planRestoreSignals(input.host.sigIgnored),
  ];
}
