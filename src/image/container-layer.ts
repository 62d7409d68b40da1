// The layers of a container: its own, which it writes to, and below it the init layer with the mount points that every
// container needs, so that a commit of its own layer has none of them. Below these are the image's.

import { close, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY, exists } from '../disk/files.ts';
import { copyAttributes, statInode } from '../disk/inode.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import {
  beginDraft,
  type Draft,
  endDraft,
  overlayFolder,
  publishDraft,
  readShortName,
  removeLeftovers,
  withdraw,
  withLayersLocked,
} from './layer-folders.ts';
import { layersOf, lowerDirectories, lowerFile } from './layers.ts';

/** Absolute paths. */
export interface ContainerLayer {
  /** What the container writes. */
  upper: string;
  /** The kernel's own. */
  work: string;
  /** Where all is mounted as one. */
  merged: string;
  /** Topmost first: the init layer, then the image's. */
  lowers: string[];
}

const initName = (containerId: string): string => `${containerId}-init`;

/** Where the layers of a container are that has some. */
export function containerLayer(
  dataRoot: string,
  containerId: string,
  chainId: string | undefined,
): ContainerLayer {
  const folder = overlayFolder(dataRoot);
  return {
    upper: `${folder}/${containerId}/diff`,
    work: `${folder}/${containerId}/work`,
    merged: `${folder}/${containerId}/merged`,
    lowers: [
      `${folder}/${initName(containerId)}/diff`,
      ...(chainId === undefined ? [] : lowerDirectories(dataRoot, chainId)),
    ],
  };
}

/**
 * Makes the layers of a container. Call it inside of keepingLayers (folders.ts), if nothing else keeps the image.
 * @param containerId 64 hexadecimal digits
 * @param chainId the image's topmost layer; undefined: an image without layers
 * @param fillInit makes the mount points in the init layer, whose fd it gets
 * @throws TinyrunError EXISTS: it has some; NOT_FOUND: no such layer; SystemError, and what `fillInit` throws. Nothing stays
 */
export function createContainerLayer(
  dataRoot: string,
  containerId: string,
  chainId: string | undefined,
  fillInit: (diff: number) => void,
): ContainerLayer {
  removeLeftovers(dataRoot);
  const image = chainId === undefined ? [] : layersOf(dataRoot, chainId);
  const top = image.at(-1);
  const lower = top === undefined ? undefined : lowerFile(dataRoot, top);
  const layer = containerLayer(dataRoot, containerId, chainId);
  const topFolder = layer.lowers[1];
  withLayersLocked(dataRoot, () => {
    if (exists(AT_FDCWD, `${overlayFolder(dataRoot)}/${containerId}`))
      throw new TinyrunError('EXISTS', `container ${containerId} has a layer already`);
    // What a killed process has left of this container.
    const half = withdraw(dataRoot, initName(containerId));
    if (half !== undefined) endDraft(half);
    makeFolder(dataRoot, initName(containerId), lower, topFolder, fillInit);
    const init = readShortName(dataRoot, initName(containerId))!;
    makeFolder(dataRoot, containerId, lower === undefined ? `l/${init}` : `l/${init}:${lower}`, topFolder);
  });
  return layer;
}

/** One directory of overlay2, whole or not at all. */
function makeFolder(
  dataRoot: string,
  name: string,
  lower: string | undefined,
  topFolder: string | undefined,
  fill?: (diff: number) => void,
): void {
  const draft = beginDraft(dataRoot, name);
  try {
    makeDiff(draft, topFolder, fill);
    if (lower !== undefined) {
      // Not synced, nor is `link`: no start reads them.
      writeFileAtomic(`${draft.path}/lower`, lower, 0o644, false);
      for (const below of ['work', 'merged'])
        syscall(`make ${below}`, 'mkdirat', AT_FDCWD, `${draft.path}/${below}`, 0o700);
    }
    publishDraft(draft);
  } finally {
    endDraft(draft);
  }
}

/** The root of the whole is the topmost directory's: it looks like that of the image. */
function makeDiff({ path }: Draft, topFolder: string | undefined, fill?: (diff: number) => void): void {
  const what = `make ${path}/diff`;
  syscall(what, 'mkdirat', AT_FDCWD, `${path}/diff`, 0o755);
  const diff = syscall(what, 'openat', AT_FDCWD, `${path}/diff`, DIRECTORY, 0);
  try {
    fill?.(diff);
    if (topFolder === undefined) return;
    const top = syscall(`open ${topFolder}`, 'openat', AT_FDCWD, topFolder, DIRECTORY, 0);
    try {
      copyAttributes(top, diff, statInode(top, what), what);
    } finally {
      close(top);
    }
  } finally {
    close(diff);
  }
}

/**
 * Removes the layers of a container that does not run. Those that are not there are fine.
 * @throws SystemError; a second try goes on from there
 */
export function removeContainerLayer(dataRoot: string, containerId: string): void {
  const drafts = withLayersLocked(dataRoot, () =>
    [containerId, initName(containerId)].map((name) => withdraw(dataRoot, name)),
  );
  for (const draft of drafts) if (draft !== undefined) endDraft(draft);
}
