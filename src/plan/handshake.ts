// Where host program and init program meet. All pipes are made before clone3, so both have both ends and each closes
// the one it does not use.
//
//   lifeline   host holds the writing end: it breaks when the host program dies. It writes one byte, and only to an init
//              that will outlive it (detach.ts)
//   go         host ──> init   the id maps are written, and this is your pid; later: the hooks have run
//   ready      init ──> host   one byte: all is mounted; only where hooks of the host program wait for that
//   failed     init ──> host   one byte: setting up failed; at execve it closes by itself, and the host reads the end
//
//   host                                  init
//   ─ clone3 ───────────────────────────> born; dies with the host from its first ops on
//   ─ id maps, limits ─ go ─────────────> becomes root of the user namespace      (with one, or with hooks of init)
//   ─ pid into state.json                 mounts
//   ─ prestart, createRuntime hooks <──── ready                                   (with such hooks)
//   ─ go ───────────────────────────────> createContainer hooks, pivot_root, credentials, startContainer hooks
//   ─ poststart hooks                     execve: from here it is the container's process
//   ─ waits, forwards signals

import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { hasLateLimits } from './cgroup.ts';
import { hasHooks, isHeld, tellsPid } from './hook-points.ts';
import type { PlanInput } from './input.ts';
import { LIFE, planDeathWatch } from './lifeline.ts';
import { planCloseKept } from './moments.ts';
import { hasUser } from './namespaces.ts';
import { hasNetDevices } from './net-devices.ts';
import { hasRdt } from './rdt.ts';
import { isRelayed } from './terminal.ts';
import { runtime } from './words.ts';

const goWhy = (input: PlanInput): string =>
  hasUser(input)
    ? 'In a user namespace init is nobody until its id maps are written, from outside.'
    : takesFromOutside(input)
      ? 'What comes to init from outside must be there before it goes on.'
      : hasLateLimits(input)
        ? 'Init could not be born under a limit that leaves no room for it.'
        : 'Hooks of the host program come before those of init, and before it leaves for its own root.';
const READY = 'Hooks find the namespaces and their mounts made, and nobody in them but init, which waits.';
const TELL = 'Its hooks are told its pid as others see it, which only its parent knows.';
const FAILED = 'A container that could not be set up is no container: nothing of it is kept.';

const takesFromOutside = (input: Pick<PlanInput, 'config'>): boolean => hasNetDevices(input) || hasRdt(input);
/** Whether init waits before it does anything: for what comes from outside, its pid, limits it could not be born under. */
const waitsFirst = (input: PlanInput): boolean =>
  hasUser(input) || takesFromOutside(input) || tellsPid(input) || hasLateLimits(input);
const needsGo = (input: PlanInput): boolean => waitsFirst(input) || isHeld(input);
/** Whether the host program must learn what becomes of setting up; a transient container leaves nothing either way. */
const asksFailure = (input: PlanInput): boolean =>
  !input.transient ||
  input.lifecycle !== 'foreground' ||
  input.monitor !== undefined ||
  hasHooks(input, 'poststart');

/** Host program, before clone3. */
export function planPipes(input: PlanInput): Op[] {
  return [
    ...o.pipe('life-r', 'life-w', runtime('make the lifeline', LIFE)),
    ...(needsGo(input) ? o.pipe('go-r', 'go-w', runtime('make the go pipe', goWhy(input))) : []),
    ...(isHeld(input) ? o.pipe('ready-r', 'ready-w', runtime('make the ready pipe', READY)) : []),
    ...(asksFailure(input) ? o.pipe('failed-r', 'failed-w', runtime('make the failure pipe', FAILED)) : []),
  ];
}

/** Host program, behind clone3: what must be done to init from outside, and then the word to go on. */
export function planReleaseInit(input: PlanInput, outside: readonly Op[]): Op[] {
  const go = goWhy(input);
  const close = (fd: string): Op =>
    o.close(o.reg(fd), runtime(`close ${fd}`, 'Only init has this end: so its closing can be seen.'));
  return [
    // With a terminal the process that reads keys watches it as well: it is closed behind that one's start.
    ...(isRelayed(input) && input.monitor === undefined ? [] : [close('life-r')]),
    ...(asksFailure(input) ? [close('failed-w')] : []),
    ...(isHeld(input) ? [close('ready-w')] : []),
    ...outside,
    ...(needsGo(input) ? [close('go-r')] : []),
    ...(tellsPid(input)
      ? [
          o.store('pid', o.buf('gopid'), 4, runtime('put the pid into a buffer', TELL)),
          o.write(o.reg('go-w'), o.buf('gopid'), 4, runtime('let init go on, and tell it its pid', TELL)),
        ]
      : waitsFirst(input)
        ? [o.write(o.reg('go-w'), 'g', 1, runtime('let init go on', go))]
        : []),
    ...(needsGo(input) && !isHeld(input) ? [o.close(o.reg('go-w'), runtime('close the go pipe', go))] : []),
  ];
}

/** Host program: waits until init has mounted all, does `meanwhile`, and lets it go on; to `unborn` if it has failed. */
export function planWhileHeld(input: PlanInput, meanwhile: readonly Op[]): Op[] {
  const go = goWhy(input);
  return [
    o.read(o.reg('ready-r'), o.buf('byte'), 1, {
      ...runtime('wait until init has mounted all', READY),
      to: 'ready',
    }),
    o.branch('ready', '!=', 1, 'unborn', runtime('has it failed?', 'It has said why.')),
    ...meanwhile,
    o.write(o.reg('go-w'), 'g', 1, {
      ...runtime('let init go on', go),
      onError: { ignore: ['EPIPE'] }, // killed meanwhile: its end is dealt with below
    }),
    o.close(o.reg('go-w'), runtime('close the go pipe', go)),
  ];
}

/** Init program, when all is mounted: the host program's hooks come first. */
export function planHold(input: PlanInput): Op[] {
  if (!isHeld(input)) return [];
  return [
    o.write(o.reg('ready-w'), 'r', 1, {
      ...runtime('tell the host program that all is mounted', READY),
      onError: { ignore: ['EPIPE'] }, // it is gone: so is the other pipe
    }),
    o.close(o.reg('ready-w'), runtime('close the ready pipe', READY)),
    o.read(o.reg('go-r'), o.buf('byte'), 1, {
      ...runtime('wait until its hooks have run', READY),
      to: 'size',
    }),
    o.branch('size', '!=', 1, 'end-init', runtime('or has one failed?', 'It has said why.')),
    o.close(o.reg('go-r'), runtime('close the go pipe', READY)),
  ];
}

/** Init program, first of all. */
export function planInitStart(input: PlanInput): Op[] {
  const tells = tellsPid(input);
  const go = goWhy(input);
  const close = (fd: string): Op =>
    o.close(
      o.reg(fd),
      runtime(`close ${fd}`, 'Only the host program has this end: so its death can be seen.'),
    );
  return [
    close('life-w'),
    ...(asksFailure(input) ? [close('failed-r')] : []),
    ...planCloseHost(input),
    ...planCloseKept(input),
    ...planDeathWatch('first'),
    ...(isHeld(input) ? [close('ready-r')] : []),
    ...(needsGo(input) ? [close('go-w')] : []),
    ...(waitsFirst(input)
      ? [
          o.read(o.reg('go-r'), o.buf(tells ? 'gopid' : 'byte'), tells ? 4 : 1, {
            ...runtime('wait until the host program is ready', go),
            to: 'size',
          }),
          o.branch('size', '!=', tells ? 4 : 1, 'end-init', runtime('or has it failed?', 'It has said why.')),
          ...(tells ? [o.load(o.buf('gopid'), 4, 'hostpid', runtime('take our pid outside', TELL))] : []),
          ...(isHeld(input) ? [] : [o.close(o.reg('go-r'), runtime('close the go pipe', go))]),
        ]
      : []),
  ];
}

/**
 * Init program: closes the host's directories. While init has one open, /proc/self/fd/N/../.. is a path out of the root,
 * for the working directory and for the program itself (CVE-2024-21626).
 */
function planCloseHost({ rootfs }: PlanInput): Op[] {
  const names = ['stateroot', 'state', ...(rootfs.kind === 'overlay' ? ['data'] : [])];
  const why =
    'An open directory of the host would be a way out of the root: /proc/self/fd/N (CVE-2024-21626).';
  return names.map((name) => o.close(o.reg(name), runtime(`close ${name}`, why)));
}

/** Init program, at the end of a failure: tells the host program, unless nothing would be kept anyway. */
export function planReportFailure(input: PlanInput): Op[] {
  if (!asksFailure(input)) return [];
  return [
    o.write(o.reg('failed-w'), '!', 1, {
      ...runtime('tell the host program that setting up failed', FAILED),
      // Without a reader the host program is dead, and there is nobody to tell.
      onError: { goto: { '*': 'end-init' } },
    }),
  ];
}

/** Host program: waits until init has become the container's process, or goes to `unborn` if it does not. */
export function planAwaitExecve(): Op[] {
  const why = 'This end of the pipe closes by itself at execve: from then on the container runs.';
  return [
    o.read(o.reg('failed-r'), o.buf('byte'), 1, {
      ...runtime('wait until init has become the container', why),
      to: 'unborn',
    }),
    o.branch('unborn', '==', 1, 'unborn', runtime('has it failed?', 'It has said why.')),
  ];
}

/** Host program, when init is gone: goes to `give-back` if it never became the container's process. */
export function planAskFailure(input: PlanInput): Op[] {
  return [
    // Whoever has waited for the execve has read the one byte that there is.
    ...(hasHooks(input, 'poststart')
      ? [o.branch('unborn', '==', 1, 'give-back', runtime('did setting up fail?', FAILED))]
      : []),
    o.read(o.reg('failed-r'), o.buf('byte'), 1, {
      ...runtime('did setting up fail?', FAILED),
      to: 'size',
      onError: { fail: 'leave' },
    }),
    o.branch('size', '==', 1, 'give-back', runtime('it did', FAILED)),
  ];
}
