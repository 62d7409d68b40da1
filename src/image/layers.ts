// The layers of images, in the form of Docker's overlay2 driver: an entry of layerdb by chain id, which names a directory of
// overlay2 with the files. Layers are shared: an image names them by chain ids, and the same chain is there once.
// (Folders and locks: layer-folders.ts. What is not used goes: layer-remove.ts. Containers' own: container-layer.ts.)

import { close, flag, syscall } from '../../native-bindings/libc.ts';
import type { DigestedSource } from '../archive/digest.ts';
import type { Limits } from '../archive/limits.ts';
import type { ByteSink } from '../archive/source.ts';
import { unpackTar } from '../archive/unpack.ts';
import { AT_FDCWD, DIRECTORY, exists, listDirectory, openDirectory, readSmall } from '../disk/files.ts';
import { syncDirectory, syncFiles, writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { chainIdOf } from './chain-id.ts';
import { FRAME, REPLACED, replayFrame, writeFrame } from './frame.ts';
import { hideRoots, inheritedAttributes } from './inherited.ts';
import {
  beginDraft,
  type Draft,
  ENTRY,
  endDraft,
  layerdbFolder,
  newCacheId,
  overlayFolder,
  publishDraft,
  readShortName,
  removeLeftovers,
  withLayersLocked,
} from './layer-folders.ts';
import { isDigest } from './reference.ts';
import { clearDoubt, isDoubtful, markUnsynced } from './unsynced.ts';

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

export interface AddOptions {
  /** What the archive's digest must be. */
  diffId?: string | undefined;
  limits?: Partial<Limits> | undefined;
  /** Is told each entry before it is unpacked. `size`: bytes of the file. */
  onEntry?: ((name: string, size: number) => void) | undefined;
  /** Called when all is read; what it throws refuses the layer. */
  check?: (() => void) | undefined;
}

/** Overlayfs takes 500 lower directories; a container adds its init layer. */
const DEEPEST = 499;

/**
 * Unpacks an archive as a layer. It is there when it is whole, or not at all. Call it inside of keepingLayers (folders.ts),
 * since nothing uses it yet.
 * @param parent chain id of the layer below
 * @param tar uncompressed
 * @returns the layer, which may have been there before
 * @throws TinyrunError ARCHIVE: the archive is refused, or has another digest; NOT_FOUND: no such parent; SystemError
 */
export async function addLayer(
  dataRoot: string,
  parent: string | undefined,
  tar: DigestedSource,
  options: AddOptions = {},
): Promise<Layer> {
  const { diffId } = options;
  const known = diffId === undefined ? undefined : findLayer(dataRoot, chainIdOf(parent, diffId));
  if (known !== undefined && !isDoubtful(dataRoot, known.chainId)) return known;
  removeLeftovers(dataRoot);
  const below = parent === undefined ? [] : layersOf(dataRoot, parent);
  if (below.length >= DEEPEST)
    throw new TinyrunError('UNSUPPORTED', `an image has at most ${DEEPEST} layers: overlayfs takes no more`);
  const draft = withLayersLocked(dataRoot, () => beginDraft(dataRoot, newCacheId()));
  try {
    const layer = await fillLayer(draft, below, tar, options);
    return withLayersLocked(dataRoot, () => publishLayer(draft, layer));
  } finally {
    endDraft(draft);
  }
}

async function fillLayer(
  draft: Draft,
  below: readonly Layer[],
  tar: DigestedSource,
  options: AddOptions,
): Promise<Layer> {
  const { dataRoot, path } = draft;
  for (const [name, mode] of [
    ['diff', 0o755],
    [ENTRY, 0o700],
  ] as const)
    syscall(`make ${path}/${name}`, 'mkdirat', AT_FDCWD, `${path}/${name}`, mode);
  const lowers = below.map((layer) => `${layerFolder(dataRoot, layer)}/diff`).reverse();
  const root = syscall(`open ${path}/diff`, 'openat', AT_FDCWD, `${path}/diff`, DIRECTORY, 0);
  const recorder = writeFrame(path, `${path}/${ENTRY}/${FRAME}`);
  try {
    const result = await unpackTar(root, tar.source, {
      whiteouts: 'overlay',
      fresh: true,
      limits: options.limits,
      unterminated: options.diffId !== undefined, // what is missing shows in the digest
      onEntry: options.onEntry,
      inherited: (directory) => inheritedAttributes(lowers, directory),
      recorder,
    });
    recorder.end();
    options.check?.();
    const diffId = checkedDigest(tar, options);
    if (result.opaqueRoot) hideRoots(root, lowers);
    const parent = below.at(-1)?.chainId;
    const chainId = chainIdOf(parent, diffId);
    const layer = {
      chainId,
      diffId,
      parent,
      cacheId: draft.name,
      size: result.bytes,
      archiveSize: tar.bytes,
    };
    writeEntry(draft, layer, below.at(-1));
    for (const folder of [`${path}/${ENTRY}`, path]) syncFiles(folder);
    return layer;
  } finally {
    recorder.close();
    close(root);
  }
}

function checkedDigest(tar: DigestedSource, { diffId }: AddOptions): string {
  const found = tar.digest();
  if (diffId === undefined || found === diffId) return found;
  throw new TinyrunError('ARCHIVE', `the layer's digest is ${found}, not ${diffId}`, {
    hint: 'the archive was damaged or changed after it was made',
  });
}

/** The files of the driver, and those of layerdb. */
function writeEntry({ dataRoot, path }: Draft, layer: Layer, below: Layer | undefined): void {
  if (below !== undefined) {
    for (const name of ['work', 'merged'])
      syscall(`make ${path}/${name}`, 'mkdirat', AT_FDCWD, `${path}/${name}`, 0o700);
    writeFileAtomic(`${path}/lower`, lowerFile(dataRoot, below), 0o644, false);
  }
  const write = (name: string, text: string): void =>
    writeFileAtomic(`${path}/${ENTRY}/${name}`, text, 0o600, false);
  write('diff', layer.diffId);
  write('cache-id', `${layer.cacheId}\n`); // a line, so that `cat */cache-id` shows one each
  write('size', String(layer.size));
  write('archive-size', String(layer.archiveSize));
  if (layer.parent !== undefined) write('parent', layer.parent);
}

/** What stands in the file `lower` of what lies upon a layer: short names, topmost first. */
export function lowerFile(dataRoot: string, layer: Pick<Layer, 'cacheId' | 'chainId'>): string {
  const link = readShortName(dataRoot, layer.cacheId);
  if (link === undefined) throw damaged(layer.chainId, 'it has no short name');
  const lower = readSmall(AT_FDCWD, `${layerFolder(dataRoot, layer)}/lower`);
  return lower === undefined ? `l/${link}` : `l/${link}:${lower}`;
}

/** Another process may have been faster with the same layer; one that is doubtful gets the files that are not. */
function publishLayer(draft: Draft, layer: Layer): Layer {
  const { dataRoot } = draft;
  const { chainId, parent } = layer;
  const there = findLayer(dataRoot, chainId);
  const doubtful = there !== undefined && isDoubtful(dataRoot, chainId);
  if (there !== undefined && !doubtful) return there;
  if (parent !== undefined) readLayer(dataRoot, parent);
  markUnsynced(dataRoot, chainId);
  if (there === undefined) {
    publishDraft(draft);
    moveEntry(`${layerFolder(dataRoot, layer)}/${ENTRY}`, entryFolder(dataRoot, chainId));
  } else exchangeFiles(draft.path, layerFolder(dataRoot, there));
  for (const folder of [overlayFolder(dataRoot), layerdbFolder(dataRoot)]) syncDirectory(folder);
  if (doubtful) clearDoubt(dataRoot, chainId);
  return there ?? layer;
}

/** The files of a layer, and what they have replaced in its archive. Its names stay: containers know them. */
function exchangeFiles(from: string, to: string): void {
  for (const name of ['diff', REPLACED]) {
    if (!exists(AT_FDCWD, `${from}/${name}`)) continue;
    const how = exists(AT_FDCWD, `${to}/${name}`) ? EXCHANGE : 0;
    syscall(
      `replace ${to}/${name}`,
      'renameat2',
      AT_FDCWD,
      `${from}/${name}`,
      AT_FDCWD,
      `${to}/${name}`,
      how,
    );
  }
}
const EXCHANGE = flag('RENAME_EXCHANGE');

/** In one step: with its entry, a layer is there or not. */
export const moveEntry = (from: string, to: string): number =>
  syscall(`move ${from} to ${to}`, 'renameat2', AT_FDCWD, from, AT_FDCWD, to, 0);

/**
 * Writes the archive that a layer was unpacked from, byte by byte.
 * @param sink gets it uncompressed: `archiveSize` bytes, whose digest is the layer's diff id
 * @throws TinyrunError NOT_FOUND; ARCHIVE where the layer on disk is not what it was: what is written is then of no use
 */
export async function writeLayer(dataRoot: string, chainId: string, sink: ByteSink): Promise<void> {
  const layer = readLayer(dataRoot, chainId);
  const hasher = new Bun.CryptoHasher('sha256');
  const frame = `${entryFolder(dataRoot, chainId)}/${FRAME}`;
  await replayFrame(layerFolder(dataRoot, layer), frame, {
    write(bytes) {
      hasher.update(bytes);
      return sink.write(bytes);
    },
  });
  if (`sha256:${hasher.digest('hex')}` !== layer.diffId)
    throw damaged(chainId, 'its files were changed on disk');
}
