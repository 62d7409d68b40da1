// Layers that no image names any more, and no container stands on, go.

import { AT_FDCWD, readSmall } from '../disk/files.ts';
import {
  type Draft,
  ENTRY,
  endDraft,
  listFolders,
  overlayFolder,
  readShortName,
  removeLeftovers,
  withdraw,
  withLayersLocked,
} from './layer-folders.ts';
import { entryFolder, type Layer, layerFolder, listLayers, moveEntry, readLayer } from './layers.ts';
import { forgetMarks, syncOldLayers } from './unsynced.ts';

/**
 * Removes layers that nothing uses: no chain id given, no layer upon it, no container. Call it inside of withLayersAlone
 * (folders.ts).
 * @param used chain ids of images' topmost layers, and of others to keep
 * @returns bytes of the files that went
 * @throws SystemError where one cannot be removed
 */
export function removeUnusedLayers(dataRoot: string, used: ReadonlySet<string>): number {
  syncOldLayers(dataRoot);
  const { drafts, bytes } = withLayersLocked(dataRoot, () => {
    const unused = findUnused(dataRoot, used);
    return { drafts: unused.flatMap((layer) => takeAway(dataRoot, layer)), bytes: sumOf(unused) };
  });
  for (const draft of drafts) endDraft(draft);
  removeLeftovers(dataRoot);
  return bytes;
}

const sumOf = (layers: readonly Layer[]): number => layers.reduce((sum, { size }) => sum + size, 0);

/** Those upon others first. */
function findUnused(dataRoot: string, used: ReadonlySet<string>): Layer[] {
  const layers = listLayers(dataRoot).map((chainId) => readLayer(dataRoot, chainId));
  const byChain = new Map(layers.map((layer) => [layer.chainId, layer]));
  const inUse = linksOfContainers(dataRoot, new Set(layers.map(({ cacheId }) => cacheId)));
  const keep = new Set<string>();
  for (const layer of layers) {
    const link = readShortName(dataRoot, layer.cacheId);
    if (!used.has(layer.chainId) && !(link !== undefined && inUse.has(link))) continue;
    for (let below: Layer | undefined = layer; below !== undefined && !keep.has(below.chainId); ) {
      keep.add(below.chainId);
      below = below.parent === undefined ? undefined : byChain.get(below.parent);
    }
  }
  const depth = (layer: Layer): number => {
    let count = 0;
    for (let id = layer.parent; id !== undefined; id = byChain.get(id)?.parent) count++;
    return count;
  };
  return layers
    .filter(({ chainId }) => !keep.has(chainId))
    .map((layer) => ({ layer, depth: depth(layer) }))
    .sort((a, b) => b.depth - a.depth)
    .map(({ layer }) => layer);
}

/** The short names of all that containers stand on. */
function linksOfContainers(dataRoot: string, cacheIds: ReadonlySet<string>): Set<string> {
  const containers = listFolders(dataRoot).filter((name) => !cacheIds.has(name));
  return new Set(
    containers.flatMap((name) =>
      (readSmall(AT_FDCWD, `${overlayFolder(dataRoot)}/${name}/lower`) ?? '')
        .split(':')
        .map((short) => short.replace(/^l\//, '')),
    ),
  );
}

/** The other way round than publishLayer. */
function takeAway(dataRoot: string, layer: Layer): Draft[] {
  const folder = layerFolder(dataRoot, layer);
  moveEntry(entryFolder(dataRoot, layer.chainId), `${folder}/${ENTRY}`);
  forgetMarks(dataRoot, layer.chainId);
  const draft = withdraw(dataRoot, layer.cacheId);
  return draft === undefined ? [] : [draft];
}
