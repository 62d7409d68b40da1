// `volume attach` and `volume detach`: a mount that comes into a container while it runs, or goes.
//
//   host                                   stage
//   ─ open_tree: a copy, attached nowhere
//   ─ clone3 ────────────────────────────> setns(pidfd of init): its mounts, its user namespace
//     waits                                openat2(RESOLVE_IN_ROOT), move_mount; or umount2
//     <────────────────────────────────── ends
//
// The stage is in the container's mount namespace for moments, and in no other but the user namespace: nobody inside sees it.
// Nothing of the container is executed, and what it opens there are directories to mount on.

import type { Buffer, Op, Program, Report, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { planAttach } from './attach.ts';
import { type BindInput, bindBuffers, planBindSources } from './bind-sources.ts';
import { cleanInside } from './clean-inside.ts';
import { planEnterRoot, planOpenRoot } from './exec-join.ts';
import type { FlagMount } from './input.ts';
import { describeMount, planHotMount } from './mount-list.ts';
import { CLOSE } from './mount-point.ts';
import { CLONE_FLAGS, HIDE, hasUser, planBecomeRoot } from './namespaces.ts';
import type { ReadOnlyMount } from './place.ts';
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
 * Plans that a mount is attached. Pure.
 * @param around the read-only mount that its destination is in, if any
 */
export function planHotAttach(input: HotInput, mount: FlagMount, around: ReadOnlyMount | undefined): Program {
  const planned = planHotMount(mount);
  const binds = { ...input, rootless: undefined };
  const words = (why: string): Words => ({
    what: describeMount(planned, input.bundle),
    why,
    from: mount.from,
  });
  const place = { known: 'unknown', ...(around && { readOnly: around }) } as const;
  return programOf(
    input,
    planBindSources([planned], binds),
    [
      ...planAttach(planned, place, 'bind', input, words),
      o.close(o.reg('bind'), { ...words(CLOSE), what: `close the mount of /${planned.target}` }),
    ],
    bindBuffers([planned], binds),
  );
}

/**
 * Plans that a mount is taken away. Pure.
 * @param lazily also if it is in use: then it goes when it no longer is
 */
export function planHotDetach(input: HotInput, destination: string, lazily: boolean): Program {
  const path = cleanInside(destination);
  const slash = path.lastIndexOf('/');
  const parent = path.slice(0, Math.max(slash, 0));
  const why =
    'By its name in its directory, which is open: no path is followed, and a descriptor of the mount itself would keep it in use.';
  const words = (what: string): Words => ({ what, why, from: destination });
  const unmount = `unmount /${path} in container ${input.id}`;
  return programOf(
    input,
    [],
    [
      o.openInRoot(o.reg('root'), parent === '' ? '.' : parent, ['O_PATH', 'O_DIRECTORY'], {
        ...words(`open /${parent}`),
        to: 'parent',
      }),
      o.call('fchdir', [o.reg('parent')], words(`go to /${parent}`)),
      o.call(
        'umount2',
        [path.slice(slash + 1), o.flags('UMOUNT_NOFOLLOW', ...(lazily ? ['MNT_DETACH'] : []))],
        { ...words(unmount), onError: { goto: { EBUSY: 'busy', EINVAL: 'no-mount' } } },
      ),
      o.jump('unmounted', words('it is gone')),
      o.label('busy'),
      o.fail(
        words(
          `${unmount}: EBUSY it is in use: a process has a file of it open or works in it, or something is mounted below: ` +
            'end that, or use --force',
        ),
      ),
      o.label('no-mount'),
      o.fail(words(`${unmount}: nothing is mounted there`)),
      o.label('unmounted'),
    ],
  );
}

/** @param inside ops of the stage, in the container; register `root` is its root */
function programOf(
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
