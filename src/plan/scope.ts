// A container in a scope of systemd. systemd makes a scope around a process, and init does not exist yet when it is asked:
// so a placeholder is in it first, until init is.
//
//   JavaScript     placeholder ─ "a scope with this process in it" ─> systemd      runtime/scope.ts
//   host program   its limits ─ clone3 ─ lets the placeholder go
//   init           joins, where it is not born there ─ lets the placeholder go
//
// The placeholder lives as long as anybody has the other end of its pipe. If it is the last one in the scope, since all
// went wrong, the scope goes with it.

import type { Op, Program, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

const words = (what: string, why: string): Words => ({ what, why, from: '--cgroup-manager' });
const HOLD = 'systemd makes a scope around a process, and takes it away when it is empty.';

/** Where the placeholder has its end of the pipe. */
const PLACEHOLDER_PIPE = 3;

/** Writes the placeholder's pid to stdout and ends; whose child it was, becomes init's of the machine. */
export function planPlaceholder(): Program {
  return {
    sections: [
      {
        name: 'host',
        onFail: 'end',
        exit: 1,
        ops: [
          o.prctl('PR_SET_NAME', ['tinyrun:scope'], words('call this process tinyrun:scope', HOLD)),
          o.call('setsid', [], words('start a session', "The terminal's signals are not for it.")),
          o.clone3([], { ...words('start the placeholder', HOLD), to: 'pid' }),
          o.branch('pid', '==', 0, 'hold', words('are we the placeholder?', HOLD)),
          o.format(
            'pid',
            o.buf('number'),
            { width: 10 },
            words('write the pid of the placeholder', 'systemd wants to know it.'),
          ),
          o.write(1, o.buf('number'), 10, words('say it', 'systemd wants to know it.')),
          o.label('end'),
          o.exit(
            o.reg('exit'),
            words('leave', "The placeholder is no child of tinyrun's: nobody has to wait for it."),
          ),
          o.label('hold'),
          o.call(
            'close_range',
            [0, PLACEHOLDER_PIPE - 1, 0],
            words('close stdio', 'Who reads it waits for its end.'),
          ),
          o.call(
            'close_range',
            [PLACEHOLDER_PIPE + 1, 0xffffffff, 0],
            words('close the rest', 'It needs nothing but the pipe.'),
          ),
          o.label('wait'),
          o.read(PLACEHOLDER_PIPE, o.buf('number'), 1, {
            ...words('wait until the scope is not to be held any more', HOLD),
            onError: { goto: { EINTR: 'wait' } },
          }),
          o.jump('end', words('leave', HOLD)),
        ],
      },
    ],
    buffers: [{ name: 'number', size: 16 }],
    reports: [{ reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' }],
  };
}

/** Host program, behind clone3; init program, when it is in the scope. */
export function planReleaseScope({ cgroup }: PlanInput): Op[] {
  if (cgroup?.scope === undefined) return [];
  const { unit, holder } = cgroup.scope;
  return [o.close(holder, words(`let the placeholder in ${unit} go`, 'Init is in the scope in its place.'))];
}
