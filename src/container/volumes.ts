// What a container mounts besides what every container does: said once, at `create`, in its mounts.json, which also makes
// volumes that are missing and fills new ones; opened anew at each start. The grammar and the stores are in src/volume, most of
// which is loaded only for containers that mount something.

import { AT_FDCWD, exists } from '../disk/files.ts';
import type { ContainerLayer } from '../image/container-layer.ts';
import { lowerDirectories } from '../image/layers.ts';
import type { Image } from '../image/store.ts';
import { containerDirectory, UNDO } from '../oci/state.ts';
import type { FlagMount } from '../plan/input.ts';
import { sourcesOf } from '../runtime/gather-mounts.ts';
import { assertKinds } from '../runtime/mount-kinds.ts';
import { assertIdmaps, parseRequests } from '../runtime/mount-requests.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import type { VolumeMount } from '../volume/mount.ts';
import { toFlagMount } from '../volume/oci-mounts.ts';
import { isAttached, readUses, writeUses } from '../volume/uses.ts';
import type { HostConfig } from './config.ts';
import { defaultMounts } from './defaults.ts';
import type { ContainerRecord } from './record.ts';
import type { ResolvedUser } from './user.ts';

const ROOT = { uid: 0, gid: 0 };

/**
 * What the flags ask for.
 * @param cwd absolute; what `-v ./x:/y` is relative to
 * @throws TinyrunError USAGE in Docker's words
 */
export const requestsOf = ({ Binds, Mounts, Tmpfs, VolumeDriver }: HostConfig, cwd: string): VolumeMount[] =>
  parseRequests(
    { volumes: Binds, mounts: Mounts, tmpfs: Tmpfs, volumeDriver: VolumeDriver || undefined },
    cwd,
  );

/**
 * Refuses mounts that could not be made, before anything is. A bind's source that is missing may be there, or made, when the
 * container starts: of that nothing is said yet.
 * @throws TinyrunError USAGE, CONFIG in Docker's words
 */
export async function assertMounts(
  dataRoot: string,
  { layers }: Image,
  requests: readonly VolumeMount[],
): Promise<void> {
  assertIdmaps(requests, false);
  const chainId = layers.at(-1);
  if (requests.length === 0 || chainId === undefined) return;
  const flagMounts = requests.flatMap(asFlagMount);
  const sources = [...sourcesOf(flagMounts, '')].filter(([, kind]) => kind !== 'missing');
  const all = [...defaultMounts(false), ...flagMounts.map(({ mount }) => mount)];
  await assertKinds(flagMounts, new Map(sources), lowerDirectories(dataRoot, chainId), all);
}

/** What is known of a mount before it is opened: of a part of a volume or of an image, nothing. */
function asFlagMount(request: VolumeMount): FlagMount[] {
  const { type, source, volume } = request;
  if (type === 'bind' || type === 'tmpfs') return [toFlagMount(request)];
  if ((volume ?? request.image)?.subpath !== undefined) return [];
  const what = source === undefined ? `a ${type}` : `${type} ${source}`;
  return [{ ...toFlagMount(request, what), kind: 'directory' }];
}

/**
 * Writes down what a new container mounts; makes and fills its volumes.
 * @param imageVolumes destinations that its image wants to be volumes
 * @throws TinyrunError
 */
export async function makeVolumes(
  global: GlobalOptions,
  { id, name, hostConfig }: ContainerRecord,
  requests: readonly VolumeMount[],
  imageVolumes: readonly string[],
  { lowers }: ContainerLayer,
): Promise<void> {
  const { root, dataRoot } = global;
  const { AutoRemove: transient, VolumesFrom: volumesFrom } = hostConfig;
  if (requests.length + imageVolumes.length + volumesFrom.length === 0) {
    // Of one that goes at its end nobody asks.
    if (!transient) writeUses(dataRoot, id, { name, stateRoot: root, transient, mounts: [] }, true);
    return;
  }
  const { fillVolumes, recordUses } = await import('../volume/prepare.ts');
  const uses = await recordUses({
    ...{ dataRoot, stateRoot: root, id, name, requests, imageVolumes, durable: true },
    ...{ transient, volumesFrom },
  });
  try {
    await fillVolumes(uses, { dataRoot, id, roots: lowers, user: ROOT, root: ROOT });
  } finally {
    await (await import('../volume/release.ts')).releaseMounts(dataRoot, id, uses);
  }
}

/**
 * Opens the mounts of a container that is started.
 * @returns `release`: at its end more is to be undone than a program can do (endMounts)
 * @throws TinyrunError where something is not there
 */
export async function openVolumes(
  { dataRoot }: Pick<GlobalOptions, 'dataRoot'>,
  { id }: ContainerRecord,
  { uid, gid }: ResolvedUser,
): Promise<{ mounts: FlagMount[]; release: boolean }> {
  const uses = readUses(dataRoot, id);
  const release = exists(AT_FDCWD, `${containerDirectory(dataRoot, id)}/${UNDO}`);
  if (uses === undefined || uses.mounts.length === 0) return { mounts: [], release };
  if (uses.mounts.some(isAttached)) await (await import('../volume/release.ts')).endMounts(dataRoot, id); // its monitor was killed
  const { openMounts } = await import('../volume/prepare.ts');
  const at = { dataRoot, id, roots: [], user: { uid, gid }, root: ROOT };
  return { mounts: await openMounts(uses, at), release };
}

/** What a container would mount that is not made: what is missing is taken as made. */
export async function lookForVolumes(
  { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  { id, name, config, hostConfig }: ContainerRecord,
  requests: readonly VolumeMount[],
): Promise<FlagMount[]> {
  const { openMounts, recordUses } = await import('../volume/prepare.ts');
  const uses = await recordUses({
    ...{ dataRoot, stateRoot: root, id, name, requests, imageVolumes: Object.keys(config.Volumes ?? {}) },
    ...{ transient: hostConfig.AutoRemove, volumesFrom: hostConfig.VolumesFrom, mode: 'look' },
  });
  return await openMounts(uses, { dataRoot, id, roots: [], user: ROOT, root: ROOT, mode: 'look' });
}
