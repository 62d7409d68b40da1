// `start`: a container's config.json is written to its directory, which is then the bundle that the runtime runs; this process
// becomes its host program, which stays beside it until its end. All that is looked up in its root or on the host is looked
// up anew at each start.

import { close, fcntl, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { type ContainerLayer, containerLayer } from '../image/container-layer.ts';
import { settleLayers } from '../image/unsynced.ts';
import { exactJson } from '../oci/json.ts';
import { containerDirectory } from '../oci/state.ts';
import type { AttachInput, FlagMount, MonitorInput } from '../plan/input.ts';
import type { Program } from '../program/op.ts';
import type { TraceLines } from '../runtime/become.ts';
import { createLog } from '../runtime/log.ts';
import type { GlobalOptions, RunOptions } from '../runtime/options.ts';
import { inheritFds, keepOpen } from '../runtime/outputs.ts';
import { explainContainer, planAndRun } from '../runtime/plan-run.ts';
import { probeHost } from '../runtime/probe.ts';
import { errnos } from '../sys/errno.ts';
import type { VolumeMount } from '../volume/mount.ts';
import { gatherStartFacts } from './facts.ts';
import { joinedContainer } from './join.ts';
import { repairLog } from './log-files.ts';
import { toOciConfig } from './oci-config.ts';
import { writeOwnFiles } from './own-files.ts';
import type { ContainerRecord } from './record.ts';
import { noteUnfinished } from './unfinished.ts';
import { lookForVolumes, openVolumes } from './volumes.ts';

/** How a container is started. */
export interface StartOptions extends Pick<RunOptions, 'engine' | 'trace' | 'stepFd'> {
  /** undefined: nobody stays with it. */
  attach: AttachInput | undefined;
  /** What is said on stdout when it runs and nobody stays with it: its name as it was given, or its id. */
  say: string;
  /** See MonitorInput. */
  failure?: number;
}

/** What its host program leaves behind of an earlier run (status.ts). */
const TRACES_OF_A_RUN = ['started', 'exit', 'oom'];

/**
 * Starts a container that does not run: this process becomes its host program.
 * @param lock of its directory, which is let go when the container can be seen to run, or cannot be started
 * @throws TinyrunError where it cannot even begin
 */
export async function startContainer(
  global: GlobalOptions,
  record: ContainerRecord,
  lock: number,
  options: StartOptions,
  traceLines: TraceLines,
): Promise<never> {
  const held = keepLock(lock);
  try {
    return await startLocked(global, record, held, options, traceLines);
  } catch (error) {
    await (await import('../volume/release.ts')).endMounts(global.dataRoot, record.id);
    close(held);
    throw error;
  }
}

async function startLocked(
  global: GlobalOptions,
  record: ContainerRecord,
  lock: number,
  options: StartOptions,
  traceLines: TraceLines,
): Promise<never> {
  const { dataRoot } = global;
  const { id, hostConfig } = record;
  const host = probeHost();
  const directory = containerDirectory(dataRoot, id);
  await settleLayers(dataRoot, record.chainId);
  const layer = containerLayer(dataRoot, id, record.chainId);
  const facts = await gatherStartFacts(global, host, record, layer.merged, [layer.upper, ...layer.lowers]);
  const volumes = await openVolumes(global, record, facts.user);
  const text = exactJson(toOciConfig(record, facts), 2);
  writeFileAtomic(`${directory}/config.json`, text, 0o600, false);
  writeOwnFiles(dataRoot, record, joinedContainer(hostConfig.NetworkMode));
  if (exists(AT_FDCWD, `${directory}/started`) && !exists(AT_FDCWD, `${directory}/exit`))
    repairLog(directory);
  if (hostConfig.AutoRemove) noteUnfinished(dataRoot, id, record.name, true);
  for (const name of TRACES_OF_A_RUN) unlink(`${directory}/${name}`);
  return await planAndRun(
    global,
    runOptions(global, record, layer, { lock, ...volumes }, options),
    host,
    createLog(global),
    text,
    traceLines,
  );
}

/** Descriptor of a lock that nobody has taken: any number will do. */
const NO_LOCK = 100;

/**
 * The program that a container would become that is not made yet: nothing is changed.
 * @param requests what it would mount
 */
export async function explainStart(
  global: GlobalOptions,
  record: ContainerRecord,
  requests: readonly VolumeMount[],
  options: StartOptions,
): Promise<Program> {
  const layer = containerLayer(global.dataRoot, record.id, record.chainId);
  const [, ...image] = layer.lowers; // the init layer is not there, nor its own
  const facts = await gatherStartFacts(global, probeHost(), record, layer.merged, image);
  const mounts = await lookForVolumes(global, record, requests);
  const how = runOptions(global, record, layer, { lock: NO_LOCK, mounts, release: false }, options);
  return await explainContainer(global, how, exactJson(toOciConfig(record, facts), 2));
}

/** Of what the caller has open besides, nothing reaches the program; the lock does. */
function keepLock(lock: number): number {
  inheritFds(0);
  const moved = fcntl(lock, flag('F_DUPFD_CLOEXEC'), 3);
  close(lock);
  return keepOpen(moved);
}

function unlink(path: string): void {
  const result = rawSyscall('unlinkat', AT_FDCWD, path, 0);
  if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove ${path}`, -result);
}

/** The runtime's options for a container with a record: what its config does not say. */
function runOptions(
  { dataRoot }: GlobalOptions,
  record: ContainerRecord,
  { upper, work, merged, lowers }: ContainerLayer,
  { lock, mounts, release }: { lock: number; mounts: FlagMount[]; release: boolean },
  { engine, trace, stepFd, attach, say, failure }: StartOptions,
): RunOptions {
  const { id, hostConfig } = record;
  return {
    form: 'container',
    found: false,
    container: {
      layers: lowers.toReversed(),
      own: { kept: true, upper, work, merged, lock, remove: hostConfig.AutoRemove, release },
      mounts,
      monitor: { ...monitorOf(containerDirectory(dataRoot, id), record, attach, say), failure },
    },
    lifecycle: 'foreground',
    bundle: containerDirectory(dataRoot, id),
    configFile: undefined,
    id,
    named: true,
    keep: false,
    remove: hostConfig.AutoRemove,
    args: undefined,
    overlay: true,
    ...{
      volumes: [],
      mounts: [],
      tmpfs: [],
      volumesFrom: [],
      volumeDriver: undefined,
      hostname: undefined,
      addHosts: [],
      dns: [],
      dnsSearch: [],
    },
    init: hostConfig.Init,
    noPivot: false,
    noNewKeyring: false,
    ...{ listenFds: 0, preserveFds: 0, notifySocket: undefined },
    ...{ pidFile: undefined, consoleSocket: undefined, pidfdSocket: undefined },
    engine,
    trace,
    stepFd,
  };
}

function monitorOf(
  directory: string,
  { config, hostConfig }: ContainerRecord,
  attach: AttachInput | undefined,
  say: string,
): MonitorInput {
  const { Type, Config } = hostConfig.LogConfig;
  const size = Config['max-size'];
  const log = {
    maxSize: size === undefined ? undefined : Number(size),
    maxFiles: Number(Config['max-file'] ?? 1),
  };
  return {
    directory,
    log: Type === 'none' ? undefined : log,
    attach,
    openStdin: config.OpenStdin,
    stdinOnce: config.StdinOnce,
    say: `${say}\n`,
  };
}
