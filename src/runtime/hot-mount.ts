// `volume attach` and `volume detach`: what a container that runs mounts is written down before it is there, and until it is
// gone. The program is a child of ours, so that we can take back what was written if it fails.

import { close } from '../../native-bindings/libc.ts';
import { spawnProgram } from '../engine/native.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import { type HotInput, planHotAttach, planHotDetach } from '../plan/hot-mount.ts';
import type { FlagMount, SourceKind } from '../plan/input.ts';
import type { ReadOnlyMount } from '../plan/place.ts';
import type { Program } from '../program/op.ts';
import { errnos } from '../sys/errno.ts';
import { parseVolumeFlag } from '../volume/flag.ts';
import type { VolumeMount } from '../volume/mount.ts';
import { parseMountFlag } from '../volume/mount-flag.ts';
import { attachUse, openMount } from '../volume/prepare.ts';
import { dropUse } from '../volume/release.ts';
import { readUses, type Use, type Uses } from '../volume/uses.ts';
import { forgetUnlessAttached, noteAttached } from './attached.ts';
import type { TraceLines } from './become.ts';
import { createLog } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { openLog, openTrace, reports } from './outputs.ts';
import { probeHost, statPath } from './probe.ts';
import { openProcess } from './process.ts';
import { readSavedConfig } from './saved-config.ts';
import { assertLegal, refusal } from './status.ts';
import { type Container, readContainer } from './store.ts';
import { lockMounts } from './uses.ts';
import { ownerOnHost } from './volumes.ts';

export interface HotOptions {
  id: string;
  trace: string | undefined;
  traceLines: TraceLines;
}

/** Where a program that we start finds the pidfd of init; more descriptors of ours follow. */
const PIDFD = 3;

/**
 * Mounts one more volume, image or host directory in a container.
 * @param spec as of -v, or of --mount
 * @param cwd absolute; what a source that starts with a dot is relative to
 * @returns exit code
 * @throws TinyrunError; then, and with any other code than 0, nothing has changed
 */
export async function attachMount(
  global: GlobalOptions,
  options: HotOptions,
  spec: string,
  cwd: string,
): Promise<number> {
  const request = parseSpec(spec, cwd);
  return await withMounts(global, options, async (container, config, init) => {
    const { root, dataRoot } = global;
    const { id } = options;
    noteAttached(global, container);
    readRunning(root, id); // whoever has seen its end before now has not seen the note
    const none: Uses = { stateRoot: root, transient: container.transient, mounts: [] };
    const uses = readUses(dataRoot, id) ?? none;
    assertFree(id, uses, request);
    let code = 1;
    try {
      const use = await attachUse(dataRoot, id, uses, request);
      code = await mountUse(global, options, { container, config, init, uses, use });
    } finally {
      if (code !== 0) await dropUse(dataRoot, id, request.destination, { removeAnonymous: true });
    }
    return code;
  });
}

function assertFree(id: string, { mounts }: Uses, { destination }: VolumeMount): void {
  const same = mounts.find(({ point }) => point.Destination === destination);
  if (same !== undefined)
    throw new TinyrunError('USAGE', `Duplicate mount point: ${destination}`, {
      hint: `container ${id} has \`${same.request.flag}\` there: detach it first`,
    });
}

interface Attaching {
  container: Container;
  config: Config;
  init: number;
  uses: Uses;
  use: Use;
}

async function mountUse(
  global: GlobalOptions,
  options: HotOptions,
  { container, config, init, uses, use }: Attaching,
): Promise<number> {
  const { uid = 0, gid = 0 } = config.process.user ?? {};
  const mount = await openMount(use, {
    ...{ dataRoot: global.dataRoot, id: options.id, roots: [] },
    user: ownerOnHost(config, uid, gid),
    root: ownerOnHost(config, 0, 0),
  });
  const inherit = [init];
  const input = {
    ...hotInput(global, options, container, config, inherit),
    sources: new Map([[mount.mount.source ?? '', kindOf(mount)]]),
  };
  const own = mount.fd === undefined ? mount : { ...mount, fd: handOver(mount.fd, inherit) };
  const program = planHotAttach(input, own, readOnlyAround(uses, use.point.Destination));
  return await run(global, options, program, inherit);
}

/** Returns the number under which the program finds a descriptor of ours. */
const handOver = (fd: number, inherit: number[]): number => PIDFD + inherit.push(fd) - 1;

/**
 * Takes a mount away from a container: one that it has by a flag, or by attachMount.
 * @param lazily also if it is in use there
 * @returns exit code
 * @throws TinyrunError
 */
export async function detachMount(
  global: GlobalOptions,
  options: HotOptions,
  target: string,
  lazily: boolean,
): Promise<number> {
  const { id } = options;
  const destination = `/${cleanInside(target)}`;
  return await withMounts(global, options, async (container, config, init) => {
    const mounts = readUses(global.dataRoot, id)?.mounts.map(({ point }) => point.Destination) ?? [];
    if (!mounts.includes(destination))
      throw new TinyrunError('NOT_FOUND', `container ${id} has no volume at ${destination}`, {
        hint: mounts.length === 0 ? 'it has none at all' : `it has some at ${mounts.join(', ')}`,
      });
    const inherit = [init];
    const input = { ...hotInput(global, options, container, config, inherit), sources: new Map() };
    const code = await run(global, options, planHotDetach(input, destination, lazily), inherit);
    if (code === 0) await dropUse(global.dataRoot, id, destination, { removeAnonymous: false });
    return code;
  });
}

function parseSpec(spec: string, cwd: string): VolumeMount {
  const request = /^[\w-]+=/.test(spec) ? parseMountFlag(spec, cwd) : parseVolumeFlag(spec, cwd);
  if (request.type === 'tmpfs')
    throw new TinyrunError(
      'UNSUPPORTED',
      `volume attach ${spec}: a tmpfs is made when a container is created`,
      {
        hint: 'make a volume in memory: volume create -o type=tmpfs -o device=tmpfs NAME',
      },
    );
  return request;
}

/**
 * Does something while nobody else changes what the container mounts; `init` is a pidfd. Where it has ended meanwhile, that is
 * why the change failed.
 */
async function withMounts(
  global: GlobalOptions,
  { id }: HotOptions,
  work: (container: Container, config: Config, init: number) => Promise<number>,
): Promise<number> {
  const { root, dataRoot } = global;
  readRunning(root, id); // before anything is made for it
  const lock = lockMounts(dataRoot, id);
  try {
    const container = readRunning(root, id);
    const config = readSavedConfig(root, id);
    if (!config.linux?.namespaces?.some(({ type }) => type === 'mount'))
      throw new TinyrunError(
        'UNSUPPORTED',
        `container ${id} has no mount namespace: its mounts are the host's`,
      );
    const init = openProcess(container.init);
    if (init === undefined) throw refusal('mount', id, 'stopped');
    try {
      return await work(container, config, init);
    } catch (error) {
      readRunning(root, id);
      throw error;
    } finally {
      close(init);
    }
  } finally {
    forgetUnlessAttached(global, id);
    close(lock);
  }
}

/** A container whose mounts may be changed. */
function readRunning(root: string, id: string): Container {
  const container = readContainer(root, id);
  assertLegal('mount', id, container.state.status);
  return container;
}

function hotInput(
  global: GlobalOptions,
  { id, trace }: HotOptions,
  { state, init, noPivot }: Container,
  config: Config,
  inherit: number[],
): Omit<HotInput, 'sources'> {
  const logFd = openLog(global);
  const own = (fd: number | undefined): number | undefined => fd && handOver(fd, inherit);
  return {
    ...{ id, config, bundle: state.bundle, chroot: noPivot, init: { pid: init.pid, fd: PIDFD } },
    ...{ logFd: own(logFd), trace: own(trace === undefined ? undefined : openTrace(trace)) },
    reports: reports(global, probeHost(), logFd),
  };
}

function kindOf({ mount, kind, createSource, from }: FlagMount): SourceKind {
  const { source = '' } = mount;
  const stat = kind === undefined ? statPath(source) : { kind };
  if (typeof stat !== 'number') return stat.kind;
  if (createSource && stat === -errnos['ENOENT']!) return 'missing';
  throw new TinyrunError('USAGE', `${from}: bind source path does not exist: ${source}`);
}

/** The innermost mount around a destination, if nothing can be written to it. */
function readOnlyAround({ mounts }: Uses, destination: string): ReadOnlyMount | undefined {
  const [around] = mounts
    .map(({ point }) => point)
    .filter((point) => destination.startsWith(`${point.Destination}/`))
    .sort((a, b) => b.Destination.length - a.Destination.length);
  if (around === undefined || around.RW) return undefined;
  return { target: cleanInside(around.Destination), attributes: ['MOUNT_ATTR_RDONLY'] };
}

async function run(
  global: GlobalOptions,
  { trace, traceLines }: HotOptions,
  program: Program,
  inherit: readonly number[],
): Promise<number> {
  const { exitCode } = await spawnProgram(program, probeHost().arch, {
    ...{ name: 'tinyrun', fallbackDirectory: global.root, debug: createLog(global).debug },
    ...{ stdin: 0, stdout: 1, stderr: 2, inherit },
    ...(trace !== undefined && { lines: await traceLines(program) }),
  });
  return exitCode;
}
