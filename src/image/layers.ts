// The layers of images, in the form of Docker's overlay2 driver: an entry of layerdb by chain id, which names a directory of
// overlay2 with the files. Layers are shared: an image names them by chain ids, and the same chain is there once.
// (Unpacked and packed: layer-archive.ts. Folders and locks: layer-folders.ts. What is not used goes: layer-remove.ts. Containers' own: container-layer.ts.)

import { close, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, listDirectory, openDirectory, readSmall } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { chainIdOf } from './chain-id.ts';
import { layerdbFolder, overlayFolder, readShortName } from './layer-folders.ts';
import { isDigest } from './reference.ts';

export interface Layer {
  /** `sha256:HEX`: of this layer and all below. */
  chainId: string;
  /** `sha256:HEX`: of its uncompressed archive. */
  diffId: string;
  /** Chain id of the layer below; undefined: it is the base. */
  parent: string | undefined;
  /** Its directory of overlay2. */
  cacheId: string;
  /** Bytes of its files, as Docker counts. */
  size: number;
  /** Bytes of its uncompressed archive. */
  archiveSize: number;
}

/** Where its entry of layerdb is. */
export const entryFolder = (dataRoot: string, chainId: string): string =>
  `${layerdbFolder(dataRoot)}/${chainId.slice('sha256:'.length)}`;

/** Where its files are. */
export const layerFolder = (dataRoot: string, { cacheId }: Pick<Layer, 'cacheId'>): string =>
  `${overlayFolder(dataRoot)}/${cacheId}`;

/** What is told of a layer that is not what it was. */
export const damaged = (chainId: string, why: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `layer ${chainId} is damaged: ${why}`, {
    hint: 'remove the images that use it, and import them again',
  });

/**
 * Looks a layer up.
 * @returns undefined where there is none
 * @throws TinyrunError ARCHIVE where its entry is damaged
 */
export function findLayer(dataRoot: string, chainId: string): Layer | undefined {
  if (!isDigest(chainId)) return undefined;
  const folder = openDirectory(AT_FDCWD, entryFolder(dataRoot, chainId));
  if (folder === undefined) return undefined;
  try {
    const read = (name: string): string => readSmall(folder, name) ?? '';
    const [diffId, parent, cacheId] = [read('diff'), readSmall(folder, 'parent'), read('cache-id').trim()];
    const [size, archiveSize] = [Number(read('size')), Number(read('archive-size'))];
    if (!isDigest(diffId) || chainIdOf(parent, diffId) !== chainId)
      throw damaged(chainId, 'it has another id');
    if (!/^[0-9a-f]{64}$/.test(cacheId)) throw damaged(chainId, 'it has no directory');
    if (![size, archiveSize].every(Number.isSafeInteger)) throw damaged(chainId, 'its size is no number');
    return { chainId, diffId, parent, cacheId, size, archiveSize };
  } finally {
    close(folder);
  }
}

/** The same, where there must be one: TinyrunError NOT_FOUND. */
export function readLayer(dataRoot: string, chainId: string): Layer {
  const layer = findLayer(dataRoot, chainId);
  if (layer !== undefined) return layer;
  throw new TinyrunError('NOT_FOUND', `layer does not exist: ${chainId}`, { data: { chainId } });
}

/**
 * A layer and all below it, the base first.
 * @throws TinyrunError NOT_FOUND where one of them is missing, ARCHIVE where one is damaged
 */
export function layersOf(dataRoot: string, chainId: string): Layer[] {
  const layers: Layer[] = [];
  // A chain id is a digest of the parent's: there is no circle.
  for (let id: string | undefined = chainId; id !== undefined; id = layers[0]!.parent)
    layers.unshift(readLayer(dataRoot, id));
  return layers;
}

/** The directories of a layer and all below it, topmost first, as overlayfs wants them. */
export const lowerDirectories = (dataRoot: string, chainId: string): string[] =>
  layersOf(dataRoot, chainId)
    .map((layer) => `${layerFolder(dataRoot, layer)}/diff`)
    .reverse();

/** Chain ids of all layers. */
export const listLayers = (dataRoot: string): string[] =>
  listDirectory(layerdbFolder(dataRoot))
    .map((name) => `sha256:${name}`)
    .filter(isDigest)
    .sort();

/** What stands in the file `lower` of what lies upon a layer: short names, topmost first. */
export function lowerFile(dataRoot: string, layer: Pick<Layer, 'cacheId' | 'chainId'>): string {
  const link = readShortName(dataRoot, layer.cacheId);
  if (link === undefined) throw damaged(layer.chainId, 'it has no short name');
  const lower = readSmall(AT_FDCWD, `${layerFolder(dataRoot, layer)}/lower`);
  return lower === undefined ? `l/${link}` : `l/${link}:${lower}`;
}

/** In one step: with its entry, a layer is there or not. */
export const moveEntry = (from: string, to: string): number =>
  syscall(`move ${from} to ${to}`, 'renameat2', AT_FDCWD, from, AT_FDCWD, to, 0);
