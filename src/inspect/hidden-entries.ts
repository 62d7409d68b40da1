// What a mount hides: the names that the root's layers have in the directory that it is mounted on.

import { close, flag, rawOpenat2 } from '../../native-bindings/libc.ts';
import { DIRECTORY, readDirectory } from '../disk/files.ts';
import { S_IFDIR } from '../disk/inode.ts';
import { copiesOf, isWhiteout, type LayerCopy, shownOf } from './layers.ts';
import { lookAt } from './look.ts';
import { openLayer, type RootLayer } from './subject.ts';

export interface HiddenEntries {
  /** The mount point. */
  path: string;
  /** How many names, and the first of them, sorted; a file has none. */
  count: number;
  names: string[];
  /** The topmost layer that has the mount point. */
  layer: RootLayer;
}

const SHOWN = 5;

/**
 * The entries of the merged directory below a mount.
 * @param target clean and absolute
 * @returns undefined where the root has nothing there: the runtime made the mount point
 */
export function entriesHidden(layers: readonly RootLayer[], target: string): HiddenEntries | undefined {
  const path = target.slice(1);
  const copies = copiesOf(layers, path);
  const shown = shownOf(copies);
  // An empty mount point that the runtime made is in the container's own layer or in the init layer alone.
  if (shown?.seen === undefined) return undefined;
  const names = shown.seen.type === S_IFDIR ? mergedNames(copies, path) : [];
  return { path: target, count: names.length, names: names.slice(0, SHOWN), layer: shown.layer };
}

/** The names that a merged directory shows, sorted: for each, the topmost layer that has it decides. */
function mergedNames(copies: readonly LayerCopy[], path: string): string[] {
  const decided = new Set<string>();
  const visible: string[] = [];
  for (const { layer, state } of copies) {
    if (state !== 'shown' && state !== 'merged') continue;
    for (const { name, isThere } of namesIn(layer, path)) {
      if (!decided.has(name) && isThere) visible.push(name);
      decided.add(name);
    }
  }
  return visible.sort();
}

/** `isThere` is false for a whiteout. */
function namesIn(layer: RootLayer, path: string): { name: string; isThere: boolean }[] {
  const top = openLayer(layer.path);
  if (top === undefined) return [];
  const resolve = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS', 'RESOLVE_NO_XDEV');
  const fd = rawOpenat2(top, path, DIRECTORY, resolve);
  close(top);
  if (fd < 0) return [];
  try {
    return readDirectory(fd).map((name) => {
      const seen = lookAt(fd, name, false);
      return { name, isThere: seen !== undefined && !isWhiteout(seen, layer) };
    });
  } finally {
    close(fd);
  }
}
