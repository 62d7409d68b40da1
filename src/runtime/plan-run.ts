// Planning a container, from the bundle to its program, and running that. What few containers need (volume flags,
// overlays, traces, the ffi engine) is loaded only for those.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { containerDirectory } from '../oci/state.ts';
import { ungrantableCapabilities } from '../plan/credentials.ts';
import type { HostFacts } from '../plan/host.ts';
import type { PlanInput } from '../plan/input.ts';
import { planContainer } from '../plan/plan.ts';
import type { Program } from '../program/op.ts';
import { becomeProgram, type TraceLines } from './become.ts';
import { configPath, inConfig, readConfig } from './config-file.ts';
import { gatherInput } from './gather.ts';
import { fill } from './keepable.ts';
import { createLog, type Log } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { probeHost, statPath } from './probe.ts';
import { keepProgram, toKeepableRun } from './program-cache.ts';

/**
 * Plans and becomes the program.
 * @param text of config.json
 */
export async function planAndRun(
  global: GlobalOptions,
  options: RunOptions,
  host: HostFacts,
  log: Log,
  text: string,
  traceLines: TraceLines,
): Promise<never> {
  let warned = false;
  const warn = (message: string): void => {
    warned = true;
    log.warn(message);
  };
  const gathered = await gatherInput(global, options, host, { ...log, warn }, text).catch(
    (error: unknown) => {
      throw inConfig(error, options);
    },
  );
  try {
    const input = await makeReady(global, options, gathered, { ...log, warn });
    const keepable = warned ? undefined : toKeepableRun(global, options, input, text);
    const program = planContainer(keepable?.input ?? input);
    return await becomeProgram(global, options, host, log, program, traceLines, (image) => {
      if (keepable === undefined) return;
      const problem = keepProgram(global, options, keepable, text, image);
      if (problem !== undefined) log.debug(`the program is not kept: ${problem}`);
      fill(keepable, image);
    });
  } catch (error) {
    if (gathered.uses !== undefined)
      await (await import('./uses.ts')).abandonUses(global.dataRoot, options.id, gathered.uses);
    throw inConfig(error, options);
  }
}

/** The last checks, and what stands in the way. */
async function makeReady(
  global: GlobalOptions,
  options: RunOptions,
  gathered: PlanInput,
  log: Log,
): Promise<PlanInput> {
  const { host } = gathered;
  if (host.euid !== 0 && gathered.rootless === undefined) throw notRoot(global, gathered.config);
  const ungrantable = ungrantableCapabilities(gathered);
  if (ungrantable.length > 0) log.warn(`capabilities that this host cannot grant: ${ungrantable.join(', ')}`);
  await clearWay(global, options.id, gathered.rootfs.kind === 'overlay' && !gathered.rootfs.own.kept);
  // With an id that is taken the program fails before it needs a scope.
  const needsScope =
    gathered.cgroup?.scope !== undefined && typeof statPath(`${global.root}/${options.id}`) === 'number';
  return needsScope ? await (await import('./scope.ts')).makeScope(gathered, log.debug) : gathered;
}

function notRoot({ rootless }: GlobalOptions, { linux }: Config): TinyrunError {
  const user = linux?.namespaces?.find(({ type }) => type === 'user');
  const hint =
    rootless === 'false'
      ? '--rootless false forbids to do without'
      : user === undefined
        ? 'use sudo; or a config with a user namespace, as of `tinyrun spec --rootless`; `tinyrun explain` needs no root'
        : 'to join a user namespace takes root';
  return new TinyrunError('HOST', 'run a container: you are not root', { hint });
}

/** What a killed tinyrun has left of a container with this id; what is alive or kept stays, and the id is taken. */
async function clearWay({ root, dataRoot }: GlobalOptions, id: string, overlay: boolean): Promise<void> {
  const left =
    typeof statPath(`${root}/${id}`) !== 'number' ||
    (overlay && typeof statPath(containerDirectory(dataRoot, id)) !== 'number');
  if (left) await (await import('./removal.ts')).removeStale(root, id, dataRoot);
}

/**
 * The program that `run` would become: nothing is changed, and no root is needed.
 * @param text of config.json
 */
export async function explainContainer(
  global: GlobalOptions,
  options: RunOptions,
  text = readConfig(configPath(options)),
): Promise<Program> {
  const log = createLog(global);
  try {
    const input = await gatherInput(global, { ...options, trace: undefined }, probeHost(), log, text, false);
    return planContainer(input);
  } catch (error) {
    throw inConfig(error, options);
  }
}
