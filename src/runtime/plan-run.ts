// Planning a container, from the bundle to its program, and running that. What few containers need (volume flags,
// overlays, traces, the ffi engine) is loaded only for those.

import { becomeImage } from '../engine/image.ts';
import { linkProgram } from '../engine/native.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { ungrantableCapabilities } from '../plan/credentials.ts';
import { hasHooks, POINTS } from '../plan/hook-points.ts';
import type { HostFacts } from '../plan/host.ts';
import type { PlanInput } from '../plan/input.ts';
import { planContainer } from '../plan/plan.ts';
import type { Program } from '../program/op.ts';
import { configPath, readConfig } from './config-file.ts';
import { destinationsInRootfs, gatherInput } from './gather.ts';
import { createLog, type Log } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { probeHost, statPath } from './probe.ts';
import { type Facts, keepProgram } from './program-cache.ts';
import type { TraceLines } from './run.ts';

/**
 * Plans and becomes the program.
 * @param text of config.json
 * @param key under which the linked program is kept; undefined: it is not
 */
export async function planAndRun(
  global: GlobalOptions,
  options: RunOptions,
  host: HostFacts,
  log: Log,
  text: string,
  key: string | undefined,
  traceLines: TraceLines,
): Promise<never> {
  let warned = false;
  const warn = (message: string): void => {
    warned = true;
    log.warn(message);
  };
  const input = await gatherInput(global, options, host, { ...log, warn }, text);
  if (host.euid !== 0 && input.rootless === undefined) throw notRoot(global, input.config);
  const ungrantable = ungrantableCapabilities(input);
  if (ungrantable.length > 0) warn(`capabilities that this host cannot grant: ${ungrantable.join(', ')}`);
  await clearWay(global, options.id, input.rootfs.kind === 'overlay');
  const program = planContainer(input);
  const lines = options.trace === undefined ? undefined : await traceLines(program);
  const engineOptions = {
    name: 'tinyrun',
    fallbackDirectory: global.root,
    debug: log.debug,
    ...(lines === undefined ? {} : { lines }),
  };
  if (options.engine === 'ffi')
    return (await import('../engine/ffi.ts')).becomeProgram(program, host.arch, engineOptions);
  const image = linkProgram(program, host.arch, lines);
  const facts = key === undefined || warned ? undefined : factsOf(input);
  if (key !== undefined && facts !== undefined) {
    const created = new Date(host.now).toISOString();
    const problem = keepProgram(global.root, key, image, facts, options.id, created);
    if (problem !== undefined) log.debug(`the program is not kept: ${problem}`);
  }
  return becomeImage(image, engineOptions);
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

/** What the plan took from the disk, where a later run can look at it again; undefined where it is too much. */
function factsOf(input: PlanInput): Facts | undefined {
  const { config, rootfs, sources, present, resolved, cgroups, cgroup, terminal, netDevices } = input;
  if (rootfs.kind !== 'directory' || resolved.size > 0 || terminal !== undefined) return undefined;
  if (hasHooks(input, ...POINTS)) return undefined; // they may depend on the environment
  if (netDevices.length > 0) return undefined; // their numbers and addresses change
  if (cgroup?.existing) return undefined;
  const hasHome = config.process.env?.some((entry) => entry.startsWith('HOME=')) ?? false;
  return {
    kinds: [...sources, ...absentCgroups(input)],
    rootfs: rootfs.path,
    present: destinationsInRootfs(input).map(({ destination }) => [destination, present.has(destination)]),
    cgroups,
    controllers: cgroup?.available ?? [],
    home: hasHome ? [-1, ''] : [config.process.user?.uid ?? 0, input.home],
  };
}

/** A cgroup that the config names must not be there; one named after a generated id never is. */
function absentCgroups({ config, cgroup }: PlanInput): [path: string, kind: 'missing'][] {
  const given = Boolean(config.linux?.cgroupsPath);
  return given ? (cgroup?.places ?? []).map(({ path }) => [path, 'missing']) : [];
}

/** What a killed tinyrun has left of a container with this id; what is alive or kept stays, and the id is taken. */
async function clearWay({ root, dataRoot }: GlobalOptions, id: string, overlay: boolean): Promise<void> {
  const left =
    typeof statPath(`${root}/${id}`) !== 'number' ||
    (overlay && typeof statPath(`${dataRoot}/containers/${id}`) !== 'number');
  if (left) (await import('./store.ts')).removeStale(root, id, dataRoot);
}

/** The program that `run` would become: nothing is changed, and no root is needed. */
export async function explainContainer(global: GlobalOptions, options: RunOptions): Promise<Program> {
  const text = readConfig(configPath(options));
  const log = createLog(global);
  const input = await gatherInput(global, { ...options, trace: undefined }, probeHost(), log, text, false);
  return planContainer(input);
}
