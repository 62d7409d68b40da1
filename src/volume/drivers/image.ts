// The driver `image`: what an image has, as a volume that can be written. What is written goes to a layer of the volume's
// own; the image is as it was. It is the image that had the name when the volume was created, also when that has moved on.

import { close, flag, rawSyscall, syscall } from '../../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../../disk/files.ts';
import { statInode } from '../../disk/inode.ts';
import { writeFileAtomic } from '../../disk/write.ts';
import { TinyrunError } from '../../errors.ts';
import { lowerDirectories } from '../../image/layers.ts';
import { findImage, resolveImage } from '../../image/store.ts';
import { settleLayers } from '../../image/unsynced.ts';
import { DATA, volumesOf } from '../directory.ts';
import type { VolumeDriver, VolumePlace } from '../driver.ts';
import { isMountPoint } from '../mountinfo.ts';
import { listRecords } from '../record.ts';
import { mountFilesystem } from './filesystem.ts';
import { unmount } from './local.ts';

/** Has the id of the image. */
const IMAGE = 'image';

const dataOf = (place: VolumePlace): string => `${place.directory}/${DATA}`;

export const imageDriver: VolumeDriver = {
  scope: async () => 'local',
  async create(place, options) {
    const [image = '', ...rest] = [
      options['image'],
      ...Object.keys(options).filter((name) => name !== 'image'),
    ];
    if (image === '' || rest.length > 0)
      throw new TinyrunError('USAGE', `create ${place.name}: the driver image takes one option: image`, {
        hint: 'volume create -d image -o image=NAME',
      });
    const { id, layers } = resolveImage(place.dataRoot, image);
    await settleLayers(place.dataRoot, layers.at(-1));
    writeFileAtomic(`${place.directory}/${IMAGE}`, id);
    for (const name of [DATA, 'upper', 'work'])
      syscall(
        `create volume ${place.name}: make ${name}`,
        'mkdirat',
        AT_FDCWD,
        `${place.directory}/${name}`,
        0o755,
      );
    takeAttributes(`${place.directory}/upper`, lowersOf(place, layers.at(-1))[0]!);
  },
  remove() {
    // All of it is in the volume's directory.
  },
  get: (place) => ({ mountpoint: dataOf(place) }),
  mounts: () => true,
  isMounted: (place) => isMountPoint(dataOf(place)),
  async mount(place) {
    const target = dataOf(place);
    if (isMountPoint(target)) return target;
    const { directory, dataRoot, name } = place;
    const id = readSmall(AT_FDCWD, `${directory}/${IMAGE}`) ?? '';
    const image = findImage(dataRoot, id);
    if (image === undefined)
      throw new TinyrunError('NOT_FOUND', `mount volume ${name}: No such image: ${id}`, {
        hint: 'it was removed since the volume was created: import it again',
        data: { volume: name, image: id },
      });
    await settleLayers(dataRoot, image.layers.at(-1));
    const lowers = lowersOf(place, image.layers.at(-1)).map((path) => path.replaceAll(':', '\\:'));
    const options = [
      `lowerdir=${lowers.join(':')}`,
      ...[`upperdir=${directory}/upper`, `workdir=${directory}/work`],
      ...['redirect_dir=nofollow', 'metacopy=off', 'index=off'],
    ];
    mountFilesystem({ volume: name, type: 'overlay', device: 'overlay', options, target });
    return target;
  },
  unmount(place, _record, _holder, last) {
    if (last) unmount(place.name, dataOf(place));
  },
};

function lowersOf({ dataRoot, name }: VolumePlace, chainId: string | undefined): string[] {
  if (chainId !== undefined) return lowerDirectories(dataRoot, chainId);
  throw new TinyrunError('CONFIG', `create ${name}: the image has no layers: there is nothing to mount`);
}

/** The merged directory has the owner and mode of its upper one. */
function takeAttributes(upper: string, lower: string): void {
  const fd = syscall(`open ${lower}`, 'openat', AT_FDCWD, lower, flag('O_PATH', 'O_CLOEXEC'), 0);
  try {
    const { uid, gid, mode } = statInode(fd, lower);
    rawSyscall('fchownat', AT_FDCWD, upper, uid, gid, 0);
    syscall(`set the mode of ${upper}`, 'fchmodat', AT_FDCWD, upper, mode);
  } finally {
    close(fd);
  }
}

/** The volumes that are made of images, and the ids of these. */
export const imageVolumes = (dataRoot: string): { name: string; imageId: string }[] =>
  [...listRecords(dataRoot)]
    .filter(([, { driver }]) => driver === 'image')
    .map(([name]) => ({
      name,
      imageId: readSmall(AT_FDCWD, `${volumesOf(dataRoot)}/${name}/${IMAGE}`) ?? '',
    }));
