// `volume attach`: what a container that runs mounts is written down before it is there. Killed anywhere, it is undone at the
// container's end, and by the next attach or detach at the same place.

import { close, readInto } from '../../native-bindings/libc.ts';
import { identityIn } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import { planHotAttach, STATX_BYTES } from '../plan/hot-mount.ts';
import type { FlagMount, SourceKind } from '../plan/input.ts';
import type { ReadOnlyMount } from '../plan/place.ts';
import { errnos } from '../sys/errno.ts';
import { parseVolumeFlag } from '../volume/flag.ts';
import type { VolumeMount } from '../volume/mount.ts';
import { parseMountFlag } from '../volume/mount-flag.ts';
import { attachUse, fillUse, isUnfilled, type MountsAt, openMount } from '../volume/prepare.ts';
import { dropUse } from '../volume/release.ts';
import { changeUse, readUses, type Use, type Uses } from '../volume/uses.ts';
import { noteAttached } from './attached.ts';
import { takeAway } from './hot-detach.ts';
import {
  type HotContainer,
  type HotOptions,
  handOver,
  readRunning,
  runStaged,
  stage,
  withHotRoot,
  withMounts,
} from './hot-stage.ts';
import type { GlobalOptions } from './options.ts';
import { openPipe } from './outputs.ts';
import { probeHost, statPath } from './probe.ts';
import { ownerOnHost } from './volumes.ts';

/** From here on exit codes are of signals: nobody knows how far the program has come. */
const SIGNALLED = 128;
const UNSURE = 'a signal ended the program that attaches it: it may be there, or not';

/**
 * Mounts one more volume, image, host directory or tmpfs in a container. A new volume takes what the container has there.
 * @param spec as of -v, or of --mount
 * @param cwd absolute; what a source that starts with a dot is relative to
 * @returns exit code
 * @throws TinyrunError; then, and with any other code than 0, nothing has changed, unless it says so
 */
export async function attachMount(
  global: GlobalOptions,
  options: HotOptions,
  spec: string,
  cwd: string,
): Promise<number> {
  const request = /^[\w-]+=/.test(spec) ? parseMountFlag(spec, cwd) : parseVolumeFlag(spec, cwd);
  if (request.type !== 'tmpfs' && probeHost().euid !== 0)
    throw new TinyrunError('HOST', `attach ${spec}: you are not root`, {
      hint: 'use sudo: a mount of the host is copied; a tmpfs takes no root',
    });
  const { root, dataRoot } = global;
  const { id } = options;
  return await withMounts(global, options, async (hot) => {
    noteAttached(global, hot.container, hot.lock);
    readRunning(root, id); // whoever has seen its end before now has not seen the note
    await makeRoom(global, options, hot, request);
    const none: Uses = { stateRoot: root, transient: hot.container.transient, mounts: [] };
    const uses = readUses(dataRoot, id) ?? none;
    let code = 1;
    try {
      const use = await attachUse(dataRoot, id, uses, request);
      code = await mountUse(global, options, hot, uses, use);
    } finally {
      if (code !== 0 && code < SIGNALLED)
        await dropUse(dataRoot, id, request.destination, { removeAnonymous: true });
    }
    if (code < SIGNALLED) return code;
    throw new TinyrunError('HOST', `attach ${spec} to container ${id}: ${UNSURE}`, {
      hint: 'attach it once more, or detach it',
      data: { id },
    });
  });
}

/** Refuses a place that is taken; what was left half attached there is taken away first. */
async function makeRoom(
  global: GlobalOptions,
  options: HotOptions,
  hot: HotContainer,
  { destination }: VolumeMount,
): Promise<void> {
  const { id } = options;
  const same = readUses(global.dataRoot, id)?.mounts.find(({ point }) => point.Destination === destination);
  if (same?.changing && (await takeAway(global, options, hot, same, true)) === 0) return;
  if (same !== undefined)
    throw new TinyrunError('USAGE', `Duplicate mount point: ${destination}`, {
      hint: `container ${id} has \`${same.request.flag}\` there: detach it first`,
    });
}

/** Fills a volume that is empty, and mounts it. */
async function mountUse(
  global: GlobalOptions,
  options: HotOptions,
  hot: HotContainer,
  uses: Uses,
  use: Use,
): Promise<number> {
  const { dataRoot } = global;
  const { uid = 0, gid = 0 } = hot.config.process.user ?? {};
  const at: MountsAt = {
    ...{ dataRoot, id: options.id, roots: [] },
    user: ownerOnHost(hot.config, uid, gid),
    root: ownerOnHost(hot.config, 0, 0),
  };
  if (await isUnfilled(use, at)) {
    const code = await withHotRoot(global, options, hot, true, (root) => fillUse(use, root, at));
    if (code !== 0) return code;
  }
  const mount = await openMount(use, at);
  return await attach(global, options, hot, mount, use, readOnlyAround(uses, use.point.Destination));
}

/** Runs the program, and writes down what the mount shows. */
async function attach(
  global: GlobalOptions,
  options: HotOptions,
  hot: HotContainer,
  mount: FlagMount,
  use: Use,
  around: ReadOnlyMount | undefined,
): Promise<number> {
  const staging = stage(global, options, hot);
  const isBind = mount.mount.type !== 'tmpfs';
  const sources: [string, SourceKind][] = isBind ? [[mount.mount.source ?? '', kindOf(mount)]] : [];
  const input = { ...staging.input, sources: new Map(sources) };
  const own = mount.fd === undefined ? mount : { ...mount, fd: handOver(mount.fd, staging) };
  const [news, told] = openPipe();
  try {
    const program = planHotAttach(input, own, around, handOver(told, staging));
    const code = await runStaged(global, options, program, staging);
    close(told);
    const statx = new Uint32Array(STATX_BYTES / 4);
    const isTold = readInto(news, new Uint8Array(statx.buffer)) === STATX_BYTES;
    if (code === 0 && isTold) {
      const { changing: _, ...there } = { ...use, root: identityIn(statx) };
      changeUse(global.dataRoot, options.id, use.point.Destination, () => there);
    }
    return code;
  } finally {
    close(news);
  }
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
