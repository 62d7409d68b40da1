// Hooks: programs of the bundle's owner that run at six moments of a container's life. OCI config.md, "POSIX-platform
// Hooks"; runtime.md, "Lifecycle"; spec/lifecycle.md says who runs which of them, and in which namespaces. How one runs is
// in hook-process.ts; hooks without a container around them in hook-program.ts.

import { OCI_VERSION } from '../oci/version.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import {
  type HookPoint,
  hasHooks,
  hooksOf,
  INIT_POINTS,
  MOMENTS,
  mayFail,
  POINTS,
  tellsPid,
} from './hook-points.ts';
import { type HookRun, planHook } from './hook-process.ts';
import type { PlanInput } from './input.ts';
import { ROOT } from './mount-point.ts';
import { environmentOf } from './process.ts';
import { planWriteWhole } from './state.ts';

/** The hooks of a point of a container that is being made or run. */
export function hookRun(input: PlanInput, point: HookPoint): HookRun {
  const { config, id, bundle, host, reports, exits } = input;
  const inside = INIT_POINTS.includes(point);
  const outside = point !== 'startContainer';
  return {
    ...{ point, hooks: hooksOf(input, point), id, bundle, host, outside, reports },
    annotations: config.annotations ?? {},
    pid: point === 'poststop' ? undefined : o.reg(inside ? 'hostpid' : 'pid'),
    directory: outside ? (inside ? ROOT : bundle) : undefined,
    environment: outside ? input.environment : environmentOf(input),
    failure: mayFail(point, config.ociVersion)
      ? undefined
      : { label: inside ? 'give-up' : 'undo', exit: exits.failure },
  };
}

/** One for all points: a later one writes over what an earlier one left. */
export function hookBuffers(
  input: Pick<PlanInput, 'config'>,
): { name: string; size: number; init?: Uint8Array }[] {
  if (!hasHooks(input, ...POINTS)) return [];
  return [...HOOK_BUFFERS, ...(tellsPid(input) ? [{ name: 'gopid', size: 8 }] : [])];
}
const POLLIN = 0x1; // <poll.h>
export const HOOK_BUFFERS = [
  { name: 'hook-poll', size: 8, init: Uint8Array.from([0, 0, 0, 0, POLLIN, 0, 0, 0]) },
  { name: 'hook-digits', size: 24 },
  { name: 'hook-exit', size: 8 },
];

/** Both steps, where nothing stands between them. */
export const planHooksAt = (run: HookRun): Op[] => [...planHookState(run), ...planHooks(run)];

/**
 * The state JSON as a file in memory, register `hook-state`, and a pidfd of the caller, register `hook-self`. For
 * startContainer before anything is taken away from init: limits, rights, system calls.
 */
export function planHookState({ point, hooks, id, bundle, annotations, pid }: HookRun): Op[] {
  if (hooks.length === 0) return [];
  const { status } = MOMENTS[point];
  const words = (what: string): Words => ({
    what,
    why: 'A hook reads the state of the container on stdin; a file, since a pipe has no room for many annotations.',
    from: `/hooks/${point}`,
  });
  const head = JSON.stringify({ ociVersion: OCI_VERSION, id, status }).slice(0, -1);
  const rest = `,${JSON.stringify({ bundle, annotations }).slice(1)}\n`;
  const alive = 'A hook must not outlive the one who waits for it.';
  const write = (text: string, name: string): Op[] =>
    planWriteWhole(`${point}-${name}`, text, new TextEncoder().encode(text).length, words, 'hook-state');
  return [
    o.call('memfd_create', ['state', o.flags('MFD_CLOEXEC', 'MFD_ALLOW_SEALING')], {
      ...words(`make a file in memory for the state (${status})`),
      to: 'hook-state',
    }),
    ...(typeof pid === 'object'
      ? [
          ...write(`${head},"pid":`, 'head'),
          o.format(pid.reg, o.buf('hook-digits'), { to: 'digits' }, words('write the pid as digits')),
          o.write(o.reg('hook-state'), o.buf('hook-digits'), o.reg('digits'), words('write the pid')),
          ...write(rest, 'rest'),
        ]
      : write(`${head}${pid === undefined ? '' : `,"pid":${pid}`}${rest}`, 'state')),
    o.call(
      'fcntl',
      [
        o.reg('hook-state'),
        o.flags('F_ADD_SEALS'),
        o.flags('F_SEAL_SEAL', 'F_SEAL_SHRINK', 'F_SEAL_GROW', 'F_SEAL_WRITE'),
      ],
      words('seal it: no hook changes what the next one reads'),
    ),
    o.call('getpid', [], { ...words('ask for our pid'), why: alive, to: 'self' }),
    o.call('pidfd_open', [o.reg('self'), 0], {
      ...words('open a pidfd of ourselves'),
      why: alive,
      to: 'hook-self',
    }),
  ];
}

/** Runs the hooks one after the other; behind planHookState. */
export function planHooks(run: HookRun): Op[] {
  const { point, hooks, failure } = run;
  if (hooks.length === 0) return [];
  const words = (what: string): Words => ({
    what,
    why: 'A failing hook is worth a warning; what was the exit code stays it.',
    from: `/hooks/${point}`,
  });
  const close = (fd: string): Op =>
    o.close(o.reg(fd), { ...words(`close ${fd}`), why: 'The hooks have run.' });
  return [
    ...(failure === undefined ? [o.store('exit', o.buf('hook-exit'), 4, words('keep the exit code'))] : []),
    ...hooks.flatMap((hook, i) => planHook(run, hook, i)),
    ...(failure === undefined ? [o.load(o.buf('hook-exit'), 4, 'exit', words('take it back'))] : []),
    close('hook-state'),
    close('hook-self'),
  ];
}
