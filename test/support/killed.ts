// What the tests that kill at many ops have in common: configs that lead to as many kinds of ops as possible, and workers.

import type { Config } from '../../src/oci/config.ts';
import { payload } from './container.ts';
import { dockerShaped } from './seccomp.ts';

/** Whether all ops are to be tried. */
export const all = process.env['TINYRUN_TEST_ALL'] === '1';
/** Bundles that are worked on at once: much of the time a test waits. */
export const WORKERS = 3;

/** Limits, a seccomp filter, and all hooks. */
export function withEverything(config: Config): void {
  const hook = (path: string) => [{ path, args: ['payload', 'true'], env: [], timeout: 60 }];
  config.linux!.seccomp = dockerShaped();
  config.linux!.resources = {
    memory: { limit: 256 << 20 },
    pids: { limit: 64 },
    devices: [{ allow: false, access: 'rwm' }],
  };
  config.hooks = {
    ...{ prestart: hook(payload), createRuntime: hook(payload), createContainer: hook(payload) },
    ...{ startContainer: hook('/payload'), poststart: hook(payload), poststop: hook(payload) },
  };
}

export function inUserNamespace({ linux }: Config): void {
  linux!.namespaces!.push({ type: 'user' });
  linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  linux!.gidMappings = linux!.uidMappings;
}

/** Calls a worker for each share of the work, and waits for all, whatever becomes of them. */
export async function inParallel(worker: (number: number) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(Array.from({ length: WORKERS }, (_, i) => worker(i)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Waits, at most two seconds, until something holds. */
export async function soon(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (holds()) return true;
    await Bun.sleep(10);
  }
  return false;
}
