// Layers of images and the archives that they come from: unpacked as a directory of overlay2 with its entry of layerdb, and packed
// again, byte by byte. (Which there are: layers.ts. Folders and locks: layer-folders.ts.)

import { close, flag, syscall } from '../../native-bindings/libc.ts';
import type { DigestedSource } from '../archive/digest.ts';
import type { Limits } from '../archive/limits.ts';
import type { ByteSink } from '../archive/source.ts';
import { unpackTar } from '../archive/unpack.ts';
import { AT_FDCWD, DIRECTORY, exists } from '../disk/files.ts';
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
  removeLeftovers,
  withLayersLocked,
} from './layer-folders.ts';
import {
  damaged,
  entryFolder,
  findLayer,
  type Layer,
  layerFolder,
  layersOf,
  lowerFile,
  moveEntry,
  readLayer,
} from './layers.ts';
import { clearDoubt, isDoubtful, markUnsynced } from './unsynced.ts';

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
