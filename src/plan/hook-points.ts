// The six moments at which hooks run, and which of them a config uses. OCI config.md, "POSIX-platform Hooks".

import type { Hook, Hooks } from '../oci/config.ts';
import type { Status } from '../oci/state.ts';
import type { PlanInput } from './input.ts';

export type HookPoint = keyof Hooks;

interface Moment {
  /** What the state says while the hook runs. */
  status: Status;
  why: string;
}

export const MOMENTS: Readonly<Record<HookPoint, Moment>> = {
  prestart: {
    status: 'created', // deprecated; by the spec they belong to `start`, though everybody runs them in `create`
    why: 'The namespaces are there and nobody uses them yet: the moment to set up a network.',
  },
  createRuntime: {
    status: 'creating',
    why: 'The namespaces are there and nobody uses them yet: the moment to set up a network.',
  },
  createContainer: {
    status: 'creating',
    why: "In the container's namespaces, with the host's files still in sight: the moment to add mounts.",
  },
  startContainer: {
    status: 'created',
    why: "The last before the container's process, with its root and its rights.",
  },
  poststart: { status: 'running', why: "The container's process runs: others may be told." },
  poststop: { status: 'stopped', why: 'The container is gone: what was set up for it outside can go too.' },
};

/**
 * Whether a failing hook is a warning only, and the others run all the same. Of poststart hooks the spec says so up to
 * 1.2; from 1.3 on they fail the operation. The bundle says which spec it follows.
 */
export const mayFail = (point: HookPoint, ociVersion: string): boolean =>
  point === 'poststop' || (point === 'poststart' && /^1\.[012]\./.test(ociVersion));

export const POINTS = Object.keys(MOMENTS) as HookPoint[];
/** Those whose hooks init runs; the others are the host program's. */
export const INIT_POINTS: readonly HookPoint[] = ['createContainer', 'startContainer'];

export const hooksOf = ({ config }: Pick<PlanInput, 'config'>, point: HookPoint): readonly Hook[] =>
  config.hooks?.[point] ?? [];
export const hasHooks = (input: Pick<PlanInput, 'config'>, ...points: HookPoint[]): boolean =>
  points.some((point) => hooksOf(input, point).length > 0);
/** Whether init waits, with all mounted, until hooks of the host program have run. */
export const isHeld = (input: Pick<PlanInput, 'config'>): boolean =>
  hasHooks(input, 'prestart', 'createRuntime');
/** Whether init has hooks to run, and so must know its pid outside. */
export const tellsPid = (input: Pick<PlanInput, 'config'>): boolean => hasHooks(input, ...INIT_POINTS);
