// A process beside one of ours that has paused a container, and holds the other end of a pipe. If that one dies before it says that
// all is well, this one becomes `tinyrun resume`: whatever happens, the container goes on.

import type { Program, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';

/** Where its end of the pipe is. */
const PIPE = 3;

const WHY = 'Who has paused the container may be killed; nobody else would let it go on.';
const words = (what: string): Words => ({ what, why: WHY, from: 'runtime' });

/** @param resume words of the command that lets the container go on; the first one is the executable, absolute */
export function planResumer(resume: readonly string[]): Program {
  const ops = [
    o.prctl('PR_SET_NAME', ['tinyrun:resumer'], words('call this process tinyrun:resumer')),
    o.call('setsid', [], words("start a session: the terminal's signals are not for it")),
    o.label('wait'),
    o.read(PIPE, o.buf('byte'), 1, {
      ...words('wait until all is well, or the pipe breaks'),
      onError: { goto: { EINTR: 'wait' } },
      to: 'size',
    }),
    o.branch('size', '==', 1, 'end', words('is all well?')),
    o.call('execve', [resume[0]!, { vec: resume }, { vec: [] }], words('let the container go on')),
    o.label('end'),
    o.exit(o.reg('exit'), words('leave')),
  ];
  return {
    sections: [{ name: 'host', ops, onFail: 'end', exit: 1 }],
    buffers: [{ name: 'byte', size: 1 }],
    reports: [],
  };
}
