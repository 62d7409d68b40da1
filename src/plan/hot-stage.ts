// A program that works in the mount namespace of a container that runs: `volume attach` and `volume detach`.
//
//   host                                   stage
//   ─ prepares what needs the host's paths
//   ─ clone3 ────────────────────────────> setns(pidfd of init): its mounts, its user namespace
//     waits                                works; says why, where it fails
//     <────────────────────────────────── ends
//
// The stage is in the container's mount namespace for moments, and in no other but the user namespace: nobody inside sees it.
// Nothing of the container is executed, and what it opens there is opened by O_PATH.

import type { Buffer, Op, Program, Report } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { BindInput } from './bind-sources.ts';
import { planEnterRoot, planOpenRoot } from './exec-join.ts';
import { CLONE_FLAGS, HIDE, hasUser, planBecomeRoot } from './namespaces.ts';
import { planName, planUmask } from './process.ts';
import { planLog } from './program.ts';
import { runtime } from './words.ts';

export interface HotInput extends Pick<BindInput, 'config' | 'bundle' | 'sources'> {
  id: string;
  /** Init of the container, and an open pidfd of it: it names no other process. */
  init: { pid: number; fd: number };
  /** The container was made by chroot: its root is not that of its mount namespace. */
  chroot: boolean;
  reports: readonly Report[];
  logFd: number | undefined;
  trace: number | undefined;
}

const EXIT = 1;
const LEAVE = { onError: { fail: 'leave' } };

/**
 * The program around.
 * @param before ops of the host's part
 * @param inside ops of the stage, in the container; register `root` is its root
 * @param buffers that these need, besides `statfs`, `statx` and `fds`
 */
export function planStaged(
  input: HotInput,
  before: readonly Op[],
  inside: readonly Op[],
  buffers: readonly Buffer[] = [],
): Program {
  const { reports, trace } = input;
  const why = 'The stage joins the container, and we stay what we are, to say how it went.';
  const ops: Op[] = [
    ...planLog(input),
    planName('tinyrun:mount'),
    planUmask(0, 'Mount points get the modes that are asked for.', 'runtime'),
    HIDE,
    ...before,
    o.clone3([], { ...runtime('start the stage', why), to: 'stage' }),
    o.branch('stage', '!=', 0, 'staged', runtime('are we the stage?', 'clone3 returns twice.')),
    ...planEnter(input),
    ...inside,
    o.exit(0, runtime('the stage has served', why)),
    o.label('staged'),
    o.wait4(o.reg('stage'), o.buf('status'), [], runtime('wait for the end of the stage', why)),
    o.load(o.buf('status'), 4, 'status', runtime('take its wait status', why)),
    o.exitCode('status', 'exit', runtime('take its exit code', 'If it failed, it has said why.')),
    o.label('leave'),
    o.exit(o.reg('exit'), { ...runtime('end', 'Whoever has started us undoes the rest.'), ...LEAVE }),
  ];
  return {
    sections: [{ name: 'host', ops, onFail: 'leave', exit: EXIT }],
    buffers: [
      { name: 'status', size: 4 },
      { name: 'statfs', size: 128 },
      { name: 'statx', size: 256 },
      { name: 'fds', size: 8 },
      { name: 'byte', size: 1 },
      ...buffers,
    ],
    reports,
    ...(trace === undefined ? {} : { trace }),
  };
}

/** The stage gets into the container, as far as its mounts go. */
function planEnter({ init, chroot, config, id }: HotInput): Op[] {
  const types = hasUser({ config }) ? (['user', 'mount'] as const) : (['mount'] as const);
  return [
    ...(chroot ? planOpenRoot(init) : []),
    o.call('setns', [init.fd, { flags: types.map((type) => CLONE_FLAGS[type]) }], {
      ...runtime(
        `join container ${id} (${types.join(', ')})`,
        'A pidfd of init names its namespaces; no other process can have got its pid.',
      ),
      ...LEAVE,
    }),
    o.close(init.fd, runtime('close the pidfd of init', 'It has served.')),
    ...planBecomeRoot({ config }),
    ...(chroot ? planEnterRoot() : []),
    o.openat(o.AT_FDCWD, '/', ['O_PATH', 'O_DIRECTORY'], {
      ...runtime('open the root', "Paths are resolved inside it: it is the container's already."),
      to: 'root',
    }),
  ];
}
