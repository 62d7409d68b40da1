// Taking names and images away: what is refused and what is said of it is Docker's (`image rm`, `image prune`).

import { close, rawSyscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, removeTree } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { ImageConfig } from './config.ts';
import { configFolder, metadataFolder, withImagesLocked, withLayersAlone } from './folders.ts';
import { removeUnusedLayers } from './layer-remove.ts';
import { findLayer } from './layers.ts';
import { keptName, namesOf, readNames, writeNames } from './names.ts';
import { parseReference } from './reference.ts';
import { type Image, listImages, meansId, resolveImage } from './store.ts';

/** Who uses an image: a container that was made of it or mounts it, or a volume of it. */
export interface ImageUser {
  kind: 'container' | 'volume';
  /** Of a volume its name. */
  id: string;
  name: string;
  /** `sha256:HEX` */
  imageId: string;
  /** Its layers are mounted: not even by force may the image go. */
  isRunning(): boolean;
}

/** What happened, in order; each is a line of output. */
export type Removal = { Untagged: string } | { Deleted: string };

export interface RemoveOptions {
  /** Although stopped containers use it, or it has several names. */
  force: boolean;
  /** Layers that nothing uses any more stay, for a later removal. */
  keepLayers?: boolean;
  /** All containers there are. */
  users: readonly ImageUser[];
}

export interface Removed {
  removals: Removal[];
  /** Bytes of layers that went. */
  reclaimed: number;
}

const short = (id: string): string => id.replace('sha256:', '').slice(0, 12);

/**
 * Takes a name from an image; with its last name, or by its id, the image itself and the layers that nothing else uses.
 * @throws TinyrunError NOT_FOUND; STATE in Docker's words, with who uses it as the hint
 */
export async function removeImage(
  dataRoot: string,
  called: string,
  options: RemoveOptions,
): Promise<Removed> {
  const removals: Removal[] = [];
  const image = await withImagesLocked(dataRoot, () => {
    const image = resolveToRemove(dataRoot, called, options);
    const byId = meansId(image, called);
    if (byId) assertRemovable(image, options);
    const left = byId ? [] : namesLeft(image, called, options);
    for (const name of [...image.tags, ...image.digests])
      if (!left.includes(name)) removals.push({ Untagged: name });
    dropNames(dataRoot, image, left);
    if (left.length > 0 || (!byId && isUsed(image, options))) return undefined;
    deleteConfig(dataRoot, image);
    removals.push({ Deleted: image.id });
    return image;
  });
  if (image === undefined || options.keepLayers) return { removals, reclaimed: 0 };
  const reclaimed = await collectLayers(dataRoot);
  const gone = image.layers.filter((chainId) => findLayer(dataRoot, chainId) === undefined);
  return { removals: [...removals, ...gone.reverse().map((chainId) => ({ Deleted: chainId }))], reclaimed };
}

/** By force an image goes whose config is damaged, too: of its layers nothing is known then. */
function resolveToRemove(dataRoot: string, called: string, { force }: RemoveOptions): Image {
  try {
    return resolveImage(dataRoot, called);
  } catch (error) {
    const id = error instanceof TinyrunError ? error.data['damaged'] : undefined;
    if (!force || typeof id !== 'string') throw error;
    const config: ImageConfig = { architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [] } };
    return { id, config, configBytes: new Uint8Array(), ...namesOf(readNames(dataRoot), id), layers: [] };
  }
}

/** Several names of one repository, of which one at most is a tag, go together when an id is given. */
const isSingleReference = ({ tags, digests }: Image): boolean =>
  tags.length <= 1 && new Set([...tags, ...digests].map((name) => parseReference(name).repository)).size <= 1;

/**
 * The names that stay where one is taken away: digests go with the last tag of their repository.
 * @throws TinyrunError STATE where it is the last one, and somebody uses the image
 */
function namesLeft(image: Image, called: string, { force, users }: RemoveOptions): string[] {
  const reference = parseReference(called);
  const user = users.find(({ imageId }) => imageId === image.id);
  if (!force && isSingleReference(image) && user !== undefined)
    throw conflict(
      `unable to remove repository reference ${JSON.stringify(called)} (must force) - ${showUser(user)} is using its referenced image ${short(image.id)}`,
      users.filter(({ imageId }) => imageId === image.id),
    );
  const tags = image.tags.filter((name) => name !== keptName(reference));
  const repositories = tags.map((name) => parseReference(name).repository);
  const digests = image.digests.filter((name) => {
    if (name === keptName(reference)) return false;
    const { repository } = parseReference(name);
    return (
      reference.digest !== undefined ||
      repository !== reference.repository ||
      repositories.includes(repository)
    );
  });
  return [...tags, ...digests];
}

/** Whether the image has to stay without a name. */
const isUsed = (image: Image, { force, users }: RemoveOptions): boolean =>
  users.some((user) => user.imageId === image.id && (!force || user.isRunning()));

/** @throws TinyrunError STATE where an image may not be removed by its id */
function assertRemovable(image: Image, { force, users }: RemoveOptions): void {
  const own = users.filter(({ imageId }) => imageId === image.id);
  const running = own.find((user) => user.isRunning());
  const unable = (how: string, why: string): TinyrunError =>
    conflict(`unable to delete ${short(image.id)} (${how} be forced) - image is ${why}`, own);
  if (running !== undefined)
    throw unable('cannot', `being used by ${IN_USE[running.kind]} ${showUser(running)}`);
  if (force) return;
  if (!isSingleReference(image)) throw unable('must', 'referenced in multiple repositories');
  const [user] = own;
  if (user !== undefined) throw unable('must', `being used by ${NOT_IN_USE[user.kind]} ${showUser(user)}`);
}

const IN_USE = { container: 'running', volume: 'mounted' } as const;
const NOT_IN_USE = { container: 'stopped', volume: 'unmounted' } as const;

const showUser = ({ kind, id, name }: ImageUser): string =>
  kind === 'volume' ? `volume ${name}` : `container ${short(id)}`;

function conflict(message: string, users: readonly ImageUser[]): TinyrunError {
  const who = users.map((user) => {
    const { kind, id, name } = user;
    const state = (user.isRunning() ? IN_USE : NOT_IN_USE)[kind];
    return kind === 'volume' ? `volume ${name} (${state})` : `${name} (${short(id)}, ${state})`;
  });
  return new TinyrunError('STATE', `conflict: ${message}`, {
    ...(who.length === 0 ? {} : { hint: `it is used by ${who.join(', ')}` }),
    data: { users: users.map(({ id }) => id) },
  });
}

/** The caller holds the images' lock. */
function dropNames(dataRoot: string, image: Image, left: readonly string[]): void {
  const names = readNames(dataRoot);
  for (const name of [...image.tags, ...image.digests]) if (!left.includes(name)) names.delete(name);
  writeNames(dataRoot, names);
}

function deleteConfig(dataRoot: string, { id }: Image): void {
  const hex = id.replace('sha256:', '');
  rawSyscall('unlinkat', AT_FDCWD, `${configFolder(dataRoot)}/${hex}`, 0);
  const metadata = openDirectory(AT_FDCWD, metadataFolder(dataRoot));
  if (metadata === undefined) return;
  try {
    removeTree(metadata, hex);
  } finally {
    close(metadata);
  }
}

/**
 * Removes the layers that neither an image nor a container has; none while somebody is about to use some, who then does it.
 * @returns bytes
 */
export async function collectLayers(dataRoot: string): Promise<number> {
  let reclaimed = 0;
  await withLayersAlone(dataRoot, () => {
    const used = new Set(listImages(dataRoot).flatMap(({ layers }) => layers));
    reclaimed = removeUnusedLayers(dataRoot, used);
  });
  return reclaimed;
}

/**
 * Removes the images that nobody uses.
 * @param which those in question: `image prune` takes the ones without a name
 */
export async function pruneImages(
  dataRoot: string,
  users: readonly ImageUser[],
  which: (image: Image) => boolean,
): Promise<Removed> {
  const removals: Removal[] = [];
  await withImagesLocked(dataRoot, () => {
    for (const image of listImages(dataRoot)) {
      if (!which(image) || users.some(({ imageId }) => imageId === image.id)) continue;
      for (const name of [...image.tags, ...image.digests]) removals.push({ Untagged: name });
      dropNames(dataRoot, image, []);
      deleteConfig(dataRoot, image);
      removals.push({ Deleted: image.id });
    }
  });
  return { removals, reclaimed: await collectLayers(dataRoot) };
}
