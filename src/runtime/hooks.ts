// The hooks that run when no host program of the container is there: poststart by `start`, poststop by `delete`. As a
// program of their own, in a child (plan/hook-program.ts). Loaded only for containers that have such hooks.

import { spawnProgram } from '../engine/native.ts';
import type { Hook } from '../oci/config.ts';
import { planHookProgram } from '../plan/hook-program.ts';
import { createLog } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { openLog, reports } from './outputs.ts';
import { callerEnvironment } from './prelude.ts';
import { probeHost } from './probe.ts';
import { readSavedConfig } from './saved-config.ts';
import type { Container } from './store.ts';

/** What hooks of a point need; read while the state directory is still there. */
export interface PendingHooks {
  point: 'poststart' | 'poststop';
  hooks: readonly Hook[];
  ociVersion: string;
  container: Container;
}

/**
 * Reads the hooks of a container.
 * @throws TinyrunError CONFIG if its saved config cannot be read
 */
export function readHooks(
  { root }: Pick<GlobalOptions, 'root'>,
  container: Container,
  point: PendingHooks['point'],
): PendingHooks {
  const { hooks, ociVersion } = readSavedConfig(root, container.state.id);
  return { point, hooks: hooks?.[point] ?? [], ociVersion, container };
}

/**
 * Runs them. A failing poststart hook kills the container; failing poststop hooks are warnings.
 * @returns 0, or 1 where a poststart hook has failed and has said why
 */
export async function runHooks(global: GlobalOptions, pending: PendingHooks): Promise<number> {
  const { point, hooks, ociVersion, container } = pending;
  const { id, bundle, annotations = {} } = container.state;
  const host = probeHost();
  const logFd = openLog(global);
  const program = planHookProgram({
    ...{ point, hooks, ociVersion, id, bundle, annotations, host, logFd, exit: 1 },
    environment: callerEnvironment(),
    pid: point === 'poststart' ? container.init.pid : undefined,
    reports: reports(global, host, logFd),
  });
  const { exitCode } = await spawnProgram(program, host.arch, {
    ...{ name: 'tinyrun', fallbackDirectory: global.root, debug: createLog(global).debug },
    ...{ stdin: 0, stdout: 1, stderr: 2 },
  });
  return exitCode;
}
