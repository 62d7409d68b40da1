// What a container is to mount besides its config -> mounts for the planner. In this order:
//
//   recordUses   which mounts there are at all, by precedence; says so in mounts.json; creates missing volumes
//   fillVolumes  new ones get what the root has at their mount points
//   openMounts   where each of them is on this host: all that a start needs
//
// A bundle has all of it when it is run. A container with a record has the last at each start, the others at `create`.

import { close, flag, syscall } from '../../native-bindings/libc.ts';
import type { Owner } from '../disk/inode.ts';
import { resolveImage } from '../image/store.ts';
import { containerDirectory, UNDO } from '../oci/state.ts';
import type { FlagMount } from '../plan/input.ts';
import { chownTree } from './chown.ts';
import { fillVolume, isEmpty } from './fill.ts';
import { findUses } from './find-uses.ts';
import { openImage } from './image-mount.ts';
import { nameFlag, type VolumeMount } from './mount.ts';
import { mountVolume } from './mounted.ts';
import { ANONYMOUS_LABEL, newVolumeName } from './names.ts';
import { byDepth, distinctMounts, isPlain, toFlagMount } from './oci-mounts.ts';
import { makeOverlay } from './overlay-mount.ts';
import { assertPropagates } from './propagation.ts';
import { openRoots } from './roots.ts';
import { createVolume, findVolume, resolveVolume } from './store.ts';
import { openDirectoryAt, openSubpath } from './subpath.ts';
import { type MountPoint, type Use, type Uses, writeUses } from './uses.ts';
import { inheritUses, parseVolumesFrom } from './volumes-from.ts';

export interface MountsWanted {
  dataRoot: string;
  stateRoot: string;
  id: string;
  name?: string | undefined;
  /** See Uses. */
  transient: boolean;
  /** -v, --mount and --tmpfs. */
  requests: readonly VolumeMount[];
  /** Values of --volumes-from. */
  volumesFrom: readonly string[];
  /** Paths of the image's config that are to be volumes. */
  imageVolumes?: readonly string[];
  /** The volumes that a bundle's own config names. */
  configVolumes?: readonly VolumeMount[];
  /** `look`: nothing is changed, and what is missing is taken as made. */
  mode?: 'make' | 'look';
  /** The container outlives a reboot, and so does what is written of it. */
  durable?: boolean;
}

export interface MountsAt {
  dataRoot: string;
  id: string;
  /** What new volumes are filled from: directories of the root, topmost first; none: nothing is filled. */
  roots: readonly string[];
  /** Who gets what is mounted with the option U. */
  user: Owner;
  /** The container's root: owner of new, empty volumes. */
  root: Owner;
  mode?: 'make' | 'look';
}

export interface Prepared {
  /** Parents before children. */
  mounts: FlagMount[];
  points: MountPoint[];
}

/**
 * All at once, for a container that is started now. Its directory containers/ID is there, and locked by the caller, who
 * calls releaseUses (release.ts) should anything fail from then on.
 * @throws TinyrunError in Docker's words
 */
export async function prepareMounts(options: MountsWanted & MountsAt): Promise<Prepared> {
  const uses = await recordUses(options);
  if (options.mode !== 'look') await fillVolumes(uses, options);
  return { mounts: await openMounts(uses, options), points: uses.mounts.map(({ point }) => point) };
}

/** See above; the directory containers/ID is there, and locked by the caller. */
export async function recordUses(wanted: MountsWanted): Promise<Uses> {
  const { dataRoot, stateRoot, id, name, transient, mode } = wanted;
  const mounts = byDepth(listUses(wanted), ({ point }) => point.Destination);
  const uses: Uses = { ...(name !== undefined && { name }), stateRoot, transient, mounts };
  if (mode === 'look') return uses;
  // First of all: from here on nobody removes a volume of these.
  writeUses(dataRoot, id, uses);
  let undo = mounts.some(
    ({ anonymous, request }) => anonymous !== undefined || request.overlay !== undefined,
  );
  for (const use of mounts)
    if (use.point.Type === 'volume') {
      await ensureVolume(dataRoot, use);
      if (use.driven) undo = true;
    }
  if (undo) markUndo(dataRoot, id);
  writeUses(dataRoot, id, uses, wanted.durable);
  return uses;
}

/**
 * Writes down one more mount of a container that runs, and creates its volume; the container's directory is locked. It is
 * `changing` until the caller says that it is there.
 * @returns it, with the place of its volume
 * @throws TinyrunError; dropUse takes back what was written
 */
export async function attachUse(
  dataRoot: string,
  id: string,
  uses: Uses,
  request: VolumeMount,
): Promise<Use> {
  const use: Use = { ...toUse(request, dataRoot), attached: true, changing: true };
  const write = (): void => writeUses(dataRoot, id, { ...uses, mounts: [...uses.mounts, use] });
  markUndo(dataRoot, id);
  write();
  if (request.type === 'volume') await ensureVolume(dataRoot, use);
  write();
  return use;
}

/** The host program looks for this file at its end: more is to be undone than a program can do. Throws SystemError. */
function markUndo(dataRoot: string, id: string): void {
  const path = `${containerDirectory(dataRoot, id)}/${UNDO}`;
  const how = flag('O_WRONLY', 'O_CREAT', 'O_CLOEXEC');
  close(syscall(`make ${path}`, 'openat', flag('AT_FDCWD'), path, how, 0o600));
}

/** Which mounts there are: those of the image give way to those of other containers, and those to the flags'. */
function listUses(wanted: MountsWanted): Use[] {
  const { dataRoot, stateRoot, requests, volumesFrom, imageVolumes = [], configVolumes = [] } = wanted;
  const byDestination = new Map<string, Use>();
  const add = (use: Use): unknown => byDestination.set(use.point.Destination, use);
  for (const request of [...imageVolumes.map(imageVolume), ...configVolumes]) add(toUse(request, dataRoot));
  for (const text of volumesFrom) {
    const from = parseVolumesFrom(text);
    for (const use of inheritUses(findUses(dataRoot, stateRoot, from.container), from)) add(use);
  }
  for (const request of distinctMounts(requests)) add(toUse(request, dataRoot));
  return [...byDestination.values()];
}

const imageVolume = (destination: string): VolumeMount => ({
  type: 'volume',
  destination,
  readOnly: false,
  createSource: true,
  mode: '',
  flag: `the image's volume ${destination}`,
});

function toUse(request: VolumeMount, dataRoot: string): Use {
  const { type, destination, readOnly, source = '', mode } = request;
  const point: MountPoint = {
    Type: type,
    Source: type === 'tmpfs' ? '' : type === 'image' ? resolveImage(dataRoot, source).id : source,
    Destination: destination,
    Mode: mode,
    RW: !readOnly && type !== 'image',
    Propagation: type === 'bind' ? (request.propagation ?? 'rprivate') : '',
  };
  if (type !== 'volume') return { point, request };
  const Name = source === '' ? newVolumeName() : source;
  const Driver = request.volume?.driver ?? 'local';
  const use: Use = {
    point: { ...point, Name, Driver, Source: `${dataRoot}/volumes/${Name}/_data` },
    request: { ...request, source: Name },
  };
  return source === '' ? { ...use, anonymous: true } : use;
}

/** Creates a volume, or finds it; its place is known from then on. */
async function ensureVolume(dataRoot: string, use: Use): Promise<void> {
  const { point, request, anonymous } = use;
  const { driver, driverOptions, labels } = request.volume ?? {};
  const name = point.Name ?? '';
  const volume = request.createSource
    ? await createVolume(dataRoot, {
        name,
        ...(driver !== undefined && { driver }),
        ...(driverOptions !== undefined && { options: driverOptions }),
        labels: { ...labels, ...(anonymous && { [ANONYMOUS_LABEL]: '' }) },
      }).catch((error: unknown) => {
        throw nameFlag(error, request.flag);
      })
    : await resolveVolume(dataRoot, name, `create it first, or leave nocreate out of ${request.flag}`);
  point.Driver = volume.driver;
  point.Source = volume.mountpoint;
  delete use.driven;
  if (volume.driver !== 'local' || volume.options !== null) use.driven = true;
}

/** The directory of a volume on this host. */
const placeOf = ({ point, driven }: Use, { dataRoot, id }: MountsAt): string | Promise<string> =>
  driven ? mountVolume(dataRoot, point.Name ?? '', id) : point.Source;

/**
 * Fills the new volumes among a container's mounts with what its root has at their mount points.
 * @throws TinyrunError HOST where that fails
 */
export async function fillVolumes({ mounts }: Uses, options: MountsAt): Promise<void> {
  const { roots } = options;
  const wanted = mounts.filter(mayBeFilled);
  if (wanted.length === 0 || roots.length === 0) return;
  const root = openRoots(roots);
  try {
    for (const use of wanted) await fillUse(use, root, options);
  } finally {
    close(root);
  }
}

const mayBeFilled = ({ request: { type, volume } }: Use): boolean =>
  type === 'volume' && !volume?.nocopy && volume?.subpath === undefined;

/**
 * Fills one volume, if it is empty.
 * @param root of the container, open
 * @throws TinyrunError HOST where that fails
 */
export const fillUse = (use: Use, root: number, options: MountsAt): Promise<void> =>
  withDirectory(use, options, (directory, name) => {
    const { dataRoot, root: owner } = options;
    fillVolume({ dataRoot, name, directory, root, destination: use.request.destination, owner });
  });

/** Whether a mount is a volume that is to be filled: an empty one, or one whose filling was interrupted. */
export const isUnfilled = async (use: Use, options: MountsAt): Promise<boolean> =>
  mayBeFilled(use) &&
  (await withDirectory(use, options, (directory, name) => isEmpty(options.dataRoot, name, directory)));

async function withDirectory<T>(
  use: Use,
  options: MountsAt,
  work: (directory: number, name: string) => T,
): Promise<T> {
  const name = use.point.Name ?? '';
  const directory = openDirectoryAt(await placeOf(use, options), `mount volume ${name}`);
  try {
    return work(directory, name);
  } finally {
    close(directory);
  }
}

/**
 * Where each mount is on this host, as mounts for the planner.
 * @throws TinyrunError
 */
export async function openMounts(uses: Uses, options: MountsAt): Promise<FlagMount[]> {
  const found: FlagMount[] = [];
  for (const use of uses.mounts) if (!use.attached) found.push(await openMount(use, options));
  return found;
}

/** The same for one of them. */
export async function openMount(use: Use, options: MountsAt): Promise<FlagMount> {
  const { request, point } = use;
  if (request.type === 'image') return await openImage(request, options.dataRoot);
  assertPropagates(request);
  const mount =
    request.type === 'volume' ? await openVolume(use, options) : toFlagMount(request, point.Source);
  if (options.mode === 'look' || isPlain(request)) return mount;
  if (request.chown) chownTree(mount, options.user);
  return request.overlay === undefined ? mount : makeOverlay(mount, request.overlay, options);
}

async function openVolume(use: Use, options: MountsAt): Promise<FlagMount> {
  const { request, point } = use;
  const name = point.Name ?? '';
  const look = options.mode === 'look';
  const found = look ? (await findVolume(options.dataRoot, name))?.mountpoint : await placeOf(use, options);
  const source = found || point.Source;
  if (look && !found) return { ...toFlagMount(request, source), kind: 'directory' };
  point.Source = source;
  const subpath = request.volume?.subpath;
  if (subpath === undefined) return { ...toFlagMount(request, source), kind: 'directory' };
  const directory = openDirectoryAt(source, `mount volume ${name}`);
  try {
    return openSubpath(toFlagMount(request, `${source}/${subpath}`), directory, subpath, `volume ${name}`);
  } finally {
    close(directory);
  }
}
