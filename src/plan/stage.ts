// The process that joins what exists and makes another one from inside. setns(2) changes the one who calls it, and the host
// program must stay what it is, to clean up; CLONE_PARENT makes the new process the host program's child all the same.
//
//   host ──clone3()──> stage ──setns──clone3(CLONE_PARENT)──> the new process
//     <── its pid, by a pipe ──┘ (and the stage is gone)

import type { CallOp, Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { runtime } from './words.ts';

const LEAVE = 'leave';

export const stageBuffers = [{ name: 'initpid', size: 8 }];

/**
 * Host program: runs a stage to its end.
 * @param whose for messages: `init`
 * @param stage the clone3 that starts the stage, into register `stage`
 * @param join ops of the stage, with `leave` as the label of their failures
 * @param born the clone3 that makes the process, into register `pid`; it goes on at label `init`
 */
export function planStage(whose: string, stage: Op, join: readonly Op[], born: CallOp): Op[] {
  const report = `Only the stage knows the pid of ${whose}.`;
  const why = 'It has done what it was made for.';
  const leave = { onError: { fail: LEAVE } };
  return [
    ...o.pipe('pid-r', 'pid-w', runtime(`make a pipe for the pid of ${whose}`, report)),
    stage,
    o.branch('stage', '!=', 0, 'staged', runtime('are we the stage?', 'clone3 returns twice.')),
    ...join,
    born,
    o.branch('pid', '==', 0, 'init', runtime(`are we ${whose}?`, 'clone3 returns twice.')),
    o.store('pid', o.buf('initpid'), 4, runtime('put the pid into a buffer', report)),
    o.write(o.reg('pid-w'), o.buf('initpid'), 4, {
      ...runtime(`tell the host program the pid of ${whose}`, report),
      ...leave,
    }),
    o.exit(0, runtime('the stage has served', why)),
    o.label('staged'),
    o.close(
      o.reg('pid-w'),
      runtime('close our end', 'Otherwise a stage that failed would leave us waiting for ever.'),
    ),
    o.read(o.reg('pid-r'), o.buf('initpid'), 4, {
      ...runtime(`read the pid of ${whose}`, report),
      to: 'size',
    }),
    o.wait4(o.reg('stage'), o.buf('status'), [], {
      ...runtime('wait for the end of the stage', 'It has ended at once; nobody leaves a zombie.'),
    }),
    o.load(o.buf('status'), 4, 'status', runtime('take its status', report)),
    o.exitCode('status', 'exit', runtime('take its exit code', 'If it failed, it has said why.')),
    o.branch('size', '!=', 4, 'undo', runtime('did the stage fail?', 'It printed its own error.')),
    o.load(o.buf('initpid'), 4, 'pid', runtime(`take the pid of ${whose}`, report)),
  ];
}
