// stdin, stdout and stderr of a container with a monitor and without a terminal: pipes, whose other ends the host program
// has, so that neither is the caller's: what he closes, blocks or sets on his own has no effect on the container.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput, ProcessInput } from './input.ts';
import { runtime } from './words.ts';

const OUTPUT = 'What the container prints comes to the host program, whoever looks on.';
const INPUT =
  'What callers write comes to the container, as long as one of them, or the monitor, has this end.';

const isPiped = ({ config, monitor }: ProcessInput): boolean =>
  monitor !== undefined && config.process.terminal !== true;
/** Whether the container's stdin is a pipe. */
export const hasInputPipe = (input: ProcessInput): boolean =>
  isPiped(input) && input.monitor?.openStdin === true;

/** Before the client and the host program part, both of which may write to it: registers `stdin-r`, `stdin-w`. */
export const planInputPipe = (input: ProcessInput, extra: Partial<o.Extra>): Op[] =>
  hasInputPipe(input)
    ? o.pipe('stdin-r', 'stdin-w', { ...runtime('make the pipe to stdin', INPUT), ...extra })
    : [];

/** Host program, before clone3. */
export function planStdioPipes(input: ProcessInput): Op[] {
  if (!isPiped(input)) return [];
  return [
    ...o.pipe('stdout-r', 'stdout-w', runtime('make the pipe of stdout', OUTPUT)),
    ...o.pipe('stderr-r', 'stderr-w', runtime('make the pipe of stderr', OUTPUT)),
    ...(hasInputPipe(input)
      ? []
      : [
          o.openat(o.AT_FDCWD, '/dev/null', ['O_RDONLY'], {
            ...runtime('open /dev/null as stdin', 'Nobody has asked to write to this container.'),
            to: 'stdin-r',
          }),
        ]),
  ];
}

/** Host program, behind clone3: only the container has these ends, so that their end is seen. */
export const planCloseStdio = (input: ProcessInput): Op[] =>
  isPiped(input)
    ? ['stdin-r', 'stdout-w', 'stderr-w'].map((end) => o.close(o.reg(end), runtime(`close ${end}`, OUTPUT)))
    : [];

/** Init program, late: until here stderr was the caller's. */
export function planPipedStdio(input: PlanInput): Op[] {
  if (!isPiped(input)) return [];
  return ['stdin-r', 'stdout-w', 'stderr-w'].map((end, fd) =>
    o.call('dup3', [o.reg(end), fd, 0], runtime(`make ${end} file descriptor ${fd}`, OUTPUT)),
  );
}
