// The stage of `exec`: gets into the container's cgroups and namespaces, and into its root. What it sets of itself, the
// process that it makes inherits (exec.ts).

import { INIT_PIDFD } from '../oci/state.ts';
import type { Buffer, CallOp, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { planCpuAffinity } from './affinity.ts';
import { initBuffers, planInit, planOpenState } from './init-pidfd.ts';
import type { ExecInput } from './input.ts';
import { hasLabels } from './labels.ts';
import { planOomScore, planRlimitsFromOutside } from './limits.ts';
import { CLONE_ARGS_CGROUP, CLONE_ARGS_SIZE, CLONE_FLAGS, cloneArguments, hasUser } from './namespaces.ts';
import { planCloseListener } from './seccomp.ts';
import { stageBuffers } from './stage.ts';
import { runtime } from './words.ts';

const JOIN = 'The process lives where init lives, and sees what init sees.';
const LEAVE = { onError: { fail: 'leave' } };

/** Host program: opens a pidfd of init, where the caller has not done so; register `init-fd`. */
export function planFindInit({ init, id }: ExecInput): Op[] {
  if ('fd' in init) return [];
  const why = 'The container may have changed since somebody looked at it.';
  const close = (fd: string): Op =>
    o.close(o.reg(fd), runtime(`close ${fd}`, 'The process must not get at the directories of the host.'));
  const refuse = (label: string, what: string): Op[] => [
    o.label(label),
    o.fail(runtime(what, why), { fail: 'leave' }),
  ];
  return [
    ...planOpenState(init.stateRoot, id, 'init-alien'),
    ...planInit('init-gone', 'init-damaged', 'init-away'),
    close('dir'),
    close('root'),
    o.jump('have-init', runtime('it is alive', why)),
    ...refuse('init-alien', `read state of container ${id}: it does not belong to root`),
    ...refuse('init-damaged', `read state of container ${id}: ${INIT_PIDFD} is damaged`),
    ...refuse('init-away', `container ${id} was paused or deleted just now`),
    ...refuse('init-gone', 'cannot exec in a stopped container'),
    o.label('have-init'),
  ];
}

/** The stage: whatever is done before its child is born inside. */
export function planJoin(input: ExecInput): Op[] {
  const { chroot, config, id } = input;
  const initFd = 'fd' in input.init ? input.init.fd : o.reg('init-fd');
  const { execCPUAffinity } = config.process;
  const types = (config.linux?.namespaces ?? []).map(({ type }) => type);
  const words: Words = {
    what: `join the namespaces of container ${id} (${types.join(', ')})`,
    why: 'All at once: a pidfd of init names them all, and no other process can have got its pid.',
    from: '/linux/namespaces',
  };
  const close = (fd: string): Op =>
    o.close(o.reg(fd), {
      ...runtime(`close ${fd}`, 'Only the host program has this end: so its death can be seen.'),
      ...LEAVE,
    });
  return [
    close('life-w'),
    close('failed-r'),
    ...fromStage(planCloseListener(input)),
    ...fromStage(hasUser(input) ? planRlimitsFromOutside(input, 0) : []), // inside, nobody has the right to raise them
    ...fromStage(planOomScore(input, '/proc/self/oom_score_adj')),
    ...fromStage(planCpuAffinity(execCPUAffinity?.initial, '/process/execCPUAffinity/initial')),
    ...planJoinCgroups(input),
    ...(hasLabels(input)
      ? [
          o.openat(o.AT_FDCWD, '/proc', ['O_PATH', 'O_DIRECTORY'], {
            ...runtime(
              "open the host's proc",
              'The process writes its labels there: what an image has in its place would swallow them.',
            ),
            to: 'hostproc',
            ...LEAVE,
          }),
        ]
      : []),
    ...(chroot && 'pid' in input.init ? planOpenRoot(input.init) : []),
    ...(types.length === 0
      ? []
      : [
          o.call('setns', [initFd, { flags: types.map((type) => CLONE_FLAGS[type]) }], {
            ...words,
            ...LEAVE,
          }),
        ]),
    o.close(initFd, {
      ...runtime('close the pidfd of init', 'Nothing of the host stays open inside.'),
      ...LEAVE,
    }),
    ...(unified(input) === undefined
      ? []
      : [
          o.close(o.reg('cgroup'), {
            ...runtime('close the cgroup', 'Nothing of the host stays open inside.'),
            ...LEAVE,
          }),
        ]),
    ...(chroot ? planEnterRoot() : []),
  ];
}

/** Failures of the stage are its own end: what there is to undo is the host program's. */
const fromStage = (ops: readonly Op[]): Op[] =>
  ops.map((op) => (op.op === 'call' ? { ...op, onError: { ...op.onError, fail: 'leave' } } : op));

const IN_CGROUP = "What the process uses counts as the container's, from its birth on.";

/** v1: the stage moves itself, by `tasks`: for `cgroup.procs` the kernel would hold up every fork of the machine. */
export function planJoinCgroups({ cgroups }: ExecInput): Op[] {
  return cgroups
    .filter(({ controllers }) => controllers !== '')
    .flatMap(({ path }) => {
      const words: Words = { what: `join cgroup ${path}`, why: IN_CGROUP, from: '/linux/cgroupsPath' };
      return [
        o.openat(o.AT_FDCWD, `${path}/tasks`, ['O_WRONLY'], { ...words, to: 'file', ...LEAVE }),
        o.write(o.reg('file'), '0', 1, { ...words, ...LEAVE }),
        o.close(o.reg('file'), { ...words, ...LEAVE }),
      ];
    });
}

/** The directory of the unified hierarchy, if the container has one. */
const unified = ({ cgroups }: ExecInput): string | undefined =>
  cgroups.find(({ controllers }) => controllers === '')?.path;
export function planOpenCgroup(input: ExecInput): Op[] {
  const path = unified(input);
  if (path === undefined) return [];
  const words: Words = { what: `open cgroup ${path}`, why: IN_CGROUP, from: '/linux/cgroupsPath' };
  return [
    o.openat(o.AT_FDCWD, path, ['O_PATH', 'O_DIRECTORY'], { ...words, to: 'cgroup' }),
    o.store('cgroup', o.buf('clone', CLONE_ARGS_CGROUP), 8, {
      ...words,
      what: 'put it into the arguments of clone3',
    }),
  ];
}

export function planStartStage(input: ExecInput): CallOp {
  const path = unified(input);
  if (path === undefined) return o.clone3([], { ...runtime('start the stage', JOIN), to: 'stage' });
  return o.call('clone3', [o.buf('clone'), CLONE_ARGS_SIZE], {
    ...runtime(`start the stage in cgroup ${path}`, IN_CGROUP),
    to: 'stage',
  });
}

const CHROOT = 'Init was chrooted: its root is not that of its mount namespace.';

export function planOpenRoot({ pid, fd }: { pid: number; fd: number }): Op[] {
  const path = `/proc/${pid}/root`;
  return [
    o.openat(o.AT_FDCWD, path, ['O_PATH', 'O_DIRECTORY'], {
      ...runtime(`open ${path}`, CHROOT),
      to: 'root',
      ...LEAVE,
    }),
    o.call('pidfd_send_signal', [fd, 0, 0, 0], {
      ...runtime('is init alive?', 'Then the pid in that path was its own.'),
      ...LEAVE,
    }),
  ];
}

export function planEnterRoot(): Op[] {
  return [
    o.call('fchdir', [o.reg('root')], { ...runtime('enter the root of init', CHROOT), ...LEAVE }),
    o.call('chroot', ['.'], { ...runtime('make it the root directory', CHROOT), ...LEAVE }),
    o.close(o.reg('root'), {
      ...runtime('close it', 'It was opened outside; inside it is opened again.'),
      ...LEAVE,
    }),
  ];
}

export const execStageBuffers = (input: ExecInput): Buffer[] => [
  ...stageBuffers,
  ...('fd' in input.init ? [] : initBuffers),
  ...(unified(input) === undefined
    ? []
    : [{ name: 'clone', size: CLONE_ARGS_SIZE, init: cloneArguments([]) }]),
];
