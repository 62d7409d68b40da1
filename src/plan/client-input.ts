// What a caller types or writes, handed on by the client to the container's stdin or terminal. It never waits in a write: a
// program that does not read must not keep signals from it.

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { planDetachKeys } from './detach-keys.ts';
import type { AttachInput, PlanInput } from './input.ts';
import { isRelayed } from './terminal.ts';
import { runtime } from './words.ts';

const [IN, OUT, ANY_END] = [0x1, 0x4, 0x38]; // POLLIN, POLLOUT; POLLERR, POLLHUP, POLLNVAL of <poll.h>
/** Bytes that a pipe takes whole or not at all (PIPE_BUF). */
export const INPUT_CHUNK = 4096;
/** Places in buffer `client`: stdin, and where it goes. */
const [STDIN, SINK] = [8, 16];
const CTRL_D = '\x04';

export const INPUT = 'What the caller types or writes goes to the container.';

export const planReadStdin = (): Op[] => [
  o.set('in', 0, runtime('read from stdin', INPUT)),
  o.store('in', o.buf('client', STDIN), 4, runtime('wait for input', INPUT)),
];
const planStopReading = (): Op[] => [
  o.set('in', -1, runtime('read no more', INPUT)),
  o.store('in', o.buf('client', STDIN), 4, runtime('stop waiting for input', INPUT)),
];
const planAwaitRoom = (register: 'sink' | 'in', what: string): Op =>
  o.store(register, o.buf('client', SINK), 4, runtime(what, INPUT));

/** A chunk is read when the one before is written: key by key at a terminal, where some keys mean us. */
export function planInput(input: PlanInput, { detachKeys }: AttachInput): Op[] {
  const relayed = isRelayed(input);
  return [
    o.load(o.buf('client', SINK + 6), 2, 'events', runtime('is there room for more?', INPUT)),
    o.branch('events', '&', OUT | ANY_END, 'client-write', runtime('there is', INPUT)),
    o.load(o.buf('client', STDIN + 6), 2, 'events', runtime('is there input?', INPUT)),
    o.branch('events', '&', IN | ANY_END, 'client-read', runtime('there is', INPUT)),
    o.jump('client-wait', runtime('there is none', INPUT)),
    o.label('client-read'),
    o.read(0, o.buf('typed'), relayed ? 1 : INPUT_CHUNK, {
      ...runtime('read input', INPUT),
      to: 'typed',
      onError: { goto: { EAGAIN: 'client-wait', EINTR: 'client-wait', '*': 'client-no-input' } },
    }),
    o.branch('typed', '==', 0, 'client-no-input', runtime('is it the end of the input?', INPUT)),
    ...(relayed ? planDetachKeys(detachKeys, 'client-wait', 'client-detach') : []),
    o.label('client-write'),
    o.write(o.reg('sink'), o.buf('typed'), o.reg('typed'), {
      ...runtime('write it to the container', INPUT),
      onError: { goto: { EAGAIN: 'client-full', EINTR: 'client-write', '*': 'client-no-reader' } },
    }),
    ...planReadStdin(),
    o.set('none', -1, runtime('nothing is left to write', INPUT)),
    o.store('none', o.buf('client', SINK), 4, runtime('stop waiting for room', INPUT)),
    o.jump('client-wait', runtime('wait for more', INPUT)),
    o.label('client-full'),
    ...planStopReading(),
    planAwaitRoom('sink', 'wait for room'),
    o.jump('client-wait', runtime('wait for more', INPUT)),
    o.label('client-no-input'),
    ...(relayed
      ? [
          o.write(o.reg('sink'), CTRL_D, 1, {
            ...runtime('type Ctrl-D', 'The input has ended: a program that reads lines is told so.'),
            onError: { ignore: ['*'] },
          }),
        ]
      : [o.close(o.reg('sink'), runtime('close the pipe to stdin', 'The input has ended.'))]),
    o.label('client-no-reader'),
    ...planStopReading(),
    planAwaitRoom('in', 'nothing is left to write'),
  ];
}
