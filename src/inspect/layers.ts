// Where in the layers of a root filesystem a path is: overlayfs.rst of the kernel's documentation, "Upper and Lower",
// "whiteouts and opaque directories". Looked up in the layers' directories on the host, so it holds for a container that
// does not run as well.

import { close } from '../../native-bindings/libc.ts';
import { S_IFDIR } from '../disk/inode.ts';
import { lookAt, type Seen } from './look.ts';
import { openLayer, type RootLayer } from './subject.ts';

const S_IFCHR = 0o020000; // <linux/stat.h>

/** What one layer has at a path. */
export interface LayerCopy {
  layer: RootLayer;
  /** undefined: a whiteout, at the path itself or at a directory on its way. */
  seen: Seen | undefined;
  /**
   * How the merged view has it: `shown`; `merged`, a directory whose entries are shown beside those of the layers above; or
   * why it is not there.
   */
  state: 'shown' | 'merged' | 'whiteout' | 'hidden';
  /** Of what is hidden: the path in a layer above that hides it, and how. */
  hiddenBy?: { layer: RootLayer; path: string; as: 'copy' | 'whiteout' | 'opaque directory' };
}

/**
 * All that the layers have at a path, topmost first.
 * @param path clean, relative to the root, its directories no symlinks; empty is the root
 * @throws SystemError
 */
export function copiesOf(layers: readonly RootLayer[], path: string): LayerCopy[] {
  const copies: LayerCopy[] = [];
  let hiddenBy: LayerCopy['hiddenBy'];
  for (const layer of layers) {
    const found = lookInLayer(layer, path);
    if (found === undefined) continue;
    const { seen, ends } = found;
    const above = shownOf(copies);
    // Only directories are merged.
    if (above !== undefined && seen !== undefined && seen.type !== S_IFDIR)
      hiddenBy ??= { layer: above.layer, path: `/${path}`, as: 'copy' };
    if (seen !== undefined || found.whiteout) copies.push(toCopy(layer, seen, hiddenBy, above !== undefined));
    hiddenBy ??= ends === undefined ? undefined : { layer, ...ends };
  }
  return copies;
}

function toCopy(
  layer: RootLayer,
  seen: Seen | undefined,
  hiddenBy: LayerCopy['hiddenBy'],
  isShown: boolean,
): LayerCopy {
  if (hiddenBy !== undefined) return { layer, seen, state: 'hidden', hiddenBy };
  if (seen === undefined) return { layer, seen, state: 'whiteout' };
  return { layer, seen, state: isShown ? 'merged' : 'shown' };
}

interface Found {
  seen: Seen | undefined;
  whiteout: boolean;
  /** Where the layers below end to count for the path. */
  ends: { path: string; as: 'copy' | 'whiteout' | 'opaque directory' } | undefined;
}

/** Walks down one layer; undefined where it has no part of the way. */
function lookInLayer(layer: RootLayer, path: string): Found | undefined {
  const directory = openLayer(layer.path);
  if (directory === undefined) return undefined;
  try {
    const parts = path === '' ? [] : path.split('/');
    let ends: Found['ends'];
    for (let length = 1; length <= parts.length; length++) {
      const prefix = parts.slice(0, length).join('/');
      const seen = lookAt(directory, prefix, false);
      if (seen === undefined) return ends && { seen: undefined, whiteout: false, ends };
      if (isWhiteout(seen, layer))
        return {
          seen: undefined,
          whiteout: length === parts.length,
          ends: { path: `/${prefix}`, as: 'whiteout' },
        };
      const isLast = length === parts.length;
      if (seen.type !== S_IFDIR)
        return { seen: isLast ? seen : undefined, whiteout: false, ends: { path: `/${prefix}`, as: 'copy' } };
      if (seen.opaque) ends = { path: `/${prefix}`, as: 'opaque directory' };
      if (isLast) return { seen, whiteout: false, ends };
    }
    return { seen: lookAt(directory, '', false), whiteout: false, ends: undefined };
  } finally {
    close(directory);
  }
}

/** Whether a layer says that there is nothing at a path; in a root that is no overlay, such a device is one. */
export const isWhiteout = ({ type, device }: Seen, { role }: RootLayer): boolean =>
  role !== 'rootfs' && type === S_IFCHR && device === 0;

/** What the merged view has at a path: the topmost that is shown. */
export const shownOf = (copies: readonly LayerCopy[]): LayerCopy | undefined =>
  copies.find(({ state }) => state === 'shown');
