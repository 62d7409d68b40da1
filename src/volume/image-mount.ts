// --mount type=image: the merged layers of an image, read-only.

import { close } from '../../native-bindings/libc.ts';
import { S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { lowerDirectories } from '../image/layers.ts';
import { resolveImage } from '../image/store.ts';
import { settleLayers } from '../image/unsynced.ts';
import type { FlagMount } from '../plan/input.ts';
import type { VolumeMount } from './mount.ts';
import { toFlagMount } from './oci-mounts.ts';
import { openRoots } from './roots.ts';
import { openBelow, openSubpath, subpathError } from './subpath.ts';

/**
 * Where an image is on this host, as a mount for the planner.
 * @throws TinyrunError NOT_FOUND in Docker's words; CONFIG if a subpath is not there
 */
export async function openImage(request: VolumeMount, dataRoot: string): Promise<FlagMount> {
  const { source = '', image } = request;
  const chainId = resolveImage(dataRoot, source).layers.at(-1);
  if (chainId === undefined)
    throw new TinyrunError(
      'CONFIG',
      `${request.flag}: image ${source} has no layers: there is nothing to mount`,
    );
  await settleLayers(dataRoot, chainId);
  const lowers = lowerDirectories(dataRoot, chainId);
  const [only = ''] = lowers;
  const mount = toFlagMount(request, lowers.length === 1 ? only : `image ${source}`);
  if (lowers.length > 1 && image === undefined) return { ...mount, kind: 'directory', overlay: { lowers } };
  if (image === undefined) return mount;
  const view = openRoots(lowers);
  try {
    const { subpath } = image;
    if (lowers.length === 1) return openSubpath(mount, view, subpath, `image ${source}`);
    const part = openBelow(view, subpath);
    if (part < 0) throw subpathError(mount, subpath, `image ${source}`, -part);
    const kind = statInode(part, subpath).type === S_IFDIR ? 'directory' : 'file';
    close(part);
    return { ...mount, kind, overlay: { lowers, subpath } };
  } finally {
    close(view);
  }
}
