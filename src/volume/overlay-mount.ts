// The option O: what the container writes goes to a layer over the source. Without directories of its own it is made in
// containers/ID, for one start, and thrown away with the container.

import { close, flag, rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, removeTree } from '../disk/files.ts';
import { S_IFDIR, statInode } from '../disk/inode.ts';
import { makeDirectories } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { containerDirectory } from '../oci/state.ts';
import type { FlagMount } from '../plan/input.ts';
import type { VolumeMount } from './mount.ts';

const LAYERS = 'overlays';

/**
 * The same mount, as an overlay over its source.
 * @throws TinyrunError CONFIG if the source is no directory; SystemError
 */
export function makeOverlay(
  flagMount: FlagMount,
  { upper, work }: NonNullable<VolumeMount['overlay']>,
  { dataRoot, id }: { dataRoot: string; id: string },
): FlagMount {
  const { mount, from, fd } = flagMount;
  const source = mount.source ?? '';
  const lower =
    fd ?? syscall(`${from}: open ${source}`, 'openat', AT_FDCWD, source, flag('O_PATH', 'O_CLOEXEC'), 0);
  try {
    const inode = statInode(lower, source);
    if (inode.type !== S_IFDIR)
      throw new TinyrunError('CONFIG', `${from}: the option O is for directories, and ${source} is a file`);
    const own = upper === undefined || work === undefined;
    if (!own) for (const path of [upper, work]) assertLayer(path, from);
    const layers = own ? newLayers(containerDirectory(dataRoot, id), mount.destination) : { upper, work };
    if (own) {
      // The merged directory has the owner and mode of its upper one.
      rawSyscall('fchownat', AT_FDCWD, layers.upper, inode.uid, inode.gid, 0);
      rawSyscall('fchmodat', AT_FDCWD, layers.upper, inode.mode);
    }
    const lowers = [fd === undefined ? source : `/proc/self/fd/${fd}`];
    return { ...flagMount, kind: 'directory', overlay: { lowers, ...layers } };
  } finally {
    if (fd === undefined) close(lower);
  }
}

/** The kernel's word for a layer that is missing is ENOENT, of none of the three. */
function assertLayer(path: string, from: string): void {
  const fd = openDirectory(AT_FDCWD, path);
  if (fd === undefined)
    throw new TinyrunError('CONFIG', `${from}: there is no directory ${path}`, {
      hint: 'make it first, or leave out upperdir and workdir',
    });
  close(fd);
}

/** Empty directories in the container's own; what an earlier start has left there goes. */
function newLayers(directory: string, destination: string): { upper: string; work: string } {
  const name = destination.slice(1).replaceAll(/[/%]/g, (c) => (c === '/' ? '%2f' : '%25'));
  const at = `${directory}/${LAYERS}`;
  makeDirectories(at, 0o700);
  const fd = openDirectory(AT_FDCWD, at);
  if (fd !== undefined) {
    removeTree(fd, name);
    close(fd);
  }
  const layers = { upper: `${at}/${name}/upper`, work: `${at}/${name}/work` };
  for (const path of Object.values(layers)) makeDirectories(path, 0o700);
  return layers;
}
