// A program of a host program and of the init program that it makes: the frame that plan.ts and exec.ts fill.

import type { Buffer, Op, Program } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { ProcessInput } from './input.ts';
import { retryRaces } from './retry.ts';

/** A failure of the host program goes to label `undo`, one of init to `give-up`. */
export function planProgram(
  { exits, reports, trace, step }: ProcessInput,
  host: readonly Op[],
  init: readonly Op[],
  buffers: readonly Buffer[],
): Program {
  return {
    sections: [
      { name: 'host', ops: host, onFail: 'undo', exit: exits.failure },
      { name: 'init', ops: retryRaces(init, 'init'), onFail: 'give-up', exit: exits.failure },
    ],
    buffers,
    reports,
    ...(trace === undefined ? {} : { trace }),
    ...(step === undefined ? {} : { step }),
  };
}

/** First of all: failures are written to the file of --log as well, if there is one. */
export function planLog({ logFd, logPath }: Pick<ProcessInput, 'logFd' | 'logPath'>): Op[] {
  if (logPath !== undefined)
    return [
      o.openat(
        o.AT_FDCWD,
        logPath,
        ['O_WRONLY', 'O_CREAT', 'O_APPEND'],
        {
          what: `--log: open ${logPath}`,
          why: 'Failures are written to the log as well.',
          from: '--log',
          to: 'log',
          onError: { fail: 'leave' },
        },
        0o644,
      ),
    ];
  if (logFd === undefined) return [];
  return [
    o.set('log', logFd, {
      what: 'write failures to the log',
      why: 'The file was opened before.',
      from: '--log',
    }),
  ];
}
