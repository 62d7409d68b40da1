// Hooks for tests: the payload or a shell as the hook, in bundles of their own, and what they have printed.

import type { Config, Hook, Hooks } from '../../src/oci/config.ts';
import { POINTS } from '../../src/plan/hook-points.ts';
import { type Bundle, type Result, runTinyrun, withBundle, writeConfig } from './bundle.ts';
import { payload } from './container.ts';

export type Point = keyof Hooks;
export const SPEAKING = ['args', '== process'];
export const INSIDE: readonly Point[] = ['createContainer', 'startContainer'];
/** Those whose failure ends the container before its program has run. */
export const BEFORE: readonly Point[] = ['prestart', 'createRuntime', 'createContainer', 'startContainer'];
export const STATE = ['cat', '/proc/self/fd/0'];

/** A hook that says its name and runs sub-commands of the payload, outside of the container or in it. */
export const speak = (point: Point, commands: readonly string[] = [], more: Partial<Hook> = {}): Hook => ({
  path: point === 'startContainer' ? '/payload' : payload,
  args: ['payload', 'args', `== ${point}`, ...(commands.length > 0 ? ['--', ...commands] : [])],
  env: [],
  ...more,
});

/** A hook of a shell, where there is one: not in the container. */
export const shell = (script: string, more: Partial<Hook> = {}): Hook => ({
  path: '/bin/sh',
  args: ['sh', '-c', script],
  env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
  ...more,
});

export const all = (hook: (point: Point) => Hook): Hooks =>
  Object.fromEntries(POINTS.map((point) => [point, [hook(point)]]));

export const withHooks = (
  hooks: (bundle: Bundle) => Hooks,
  use: (bundle: Bundle) => void | Promise<void>,
  config?: (config: Config) => void,
): Promise<void> =>
  withBundle(async (bundle) => {
    bundle.config.hooks = hooks(bundle);
    config?.(bundle.config);
    writeConfig(bundle);
    await use(bundle);
  });

export const runBundle = (
  bundle: Bundle,
  commands: readonly string[] = ['true'],
  flags: readonly string[] = [],
) => runTinyrun(bundle, ['run', ...flags, bundle.dir, '--', '/payload', ...commands]);

/** What each speaker has printed behind its name. */
export function spoken(stdout: string): Map<string, string> {
  const parts = stdout.split(/^== (\w+)\n/m).slice(1);
  return new Map(parts.flatMap((name, i) => (i % 2 === 0 ? [[name, parts[i + 1] ?? ''] as const] : [])));
}

/** Whom a run has heard of, in order. */
export const speakers = ({ stdout }: Result): string[] =>
  [...stdout.matchAll(/^== (\w+)$/gm)].map((match) => match[1]!);
