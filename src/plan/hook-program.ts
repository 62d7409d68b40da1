// Hooks by themselves, where no host program is: those of `start` (poststart) and `delete` (poststop).

import type { Op, Program, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { mayFail } from './hook-points.ts';
import type { HookRun } from './hook-process.ts';
import { HOOK_BUFFERS, planHooksAt } from './hooks.ts';
import { planLog } from './program.ts';
import { planBlockSignals } from './signals.ts';

export interface HookProgramInput
  extends Pick<HookRun, 'hooks' | 'id' | 'bundle' | 'annotations' | 'environment' | 'host' | 'reports'> {
  point: 'poststart' | 'poststop';
  /** Of the container; for poststart, which kills it if a hook fails. */
  pid: number | undefined;
  /** Exit code of a failure. */
  exit: number;
  /** Of the config: which rules hold for failures. */
  ociVersion: string;
  logFd: number | undefined;
}

/**
 * A program that runs the hooks of a point: it ends with 0, or, where a poststart hook fails, with `exit` behind the
 * container's SIGKILL. Failing poststop hooks are warnings.
 */
export function planHookProgram(input: HookProgramInput): Program {
  const { point, exit, pid, reports, ociVersion } = input;
  const words = (what: string, why: string): Words => ({ what, why, from: `/hooks/${point}` });
  const stop = 'OCI: a container whose poststart hook fails is stopped.';
  const failure = mayFail(point, ociVersion) ? undefined : { label: 'undo', exit };
  const run: HookRun = { ...input, directory: input.bundle, outside: true, failure };
  const kills = failure !== undefined && pid !== undefined;
  const ops: Op[] = [
    ...planLog(input),
    ...planBlockSignals(),
    // Before the hooks, so that the signal reaches this process and no other that got its pid.
    ...(kills
      ? [
          o.call('pidfd_open', [pid, 0], {
            ...words(`open a pidfd of process ${pid}`, stop),
            to: 'pidfd',
            onError: { ignore: ['ESRCH'], fail: 'leave' }, // it has ended already
          }),
        ]
      : []),
    ...planHooksAt(run),
    o.jump('leave', words('all hooks have run', 'Nothing else is to be done here.')),
    o.label('undo'),
    ...(kills
      ? [
          o.branch('pidfd', '<', 0, 'leave', words('has it ended by itself?', stop)),
          o.call('pidfd_send_signal', [o.reg('pidfd'), o.flags('SIGKILL'), 0, 0], {
            ...words('kill the container', stop),
            onError: { ignore: ['ESRCH'], fail: 'leave' },
          }),
        ]
      : [o.jump('leave', words('there is nothing to undo', stop))]),
    o.label('leave'),
    o.exit(o.reg('exit'), words('end', 'The hooks have run.')),
  ];
  return {
    sections: [{ name: 'host', ops, onFail: 'undo', exit }],
    buffers: [
      ...HOOK_BUFFERS,
      { name: 'byte', size: 8 },
      { name: 'fds', size: 8 },
      { name: 'status', size: 8 },
    ],
    reports,
  };
}
