// The driver `local`: a directory of the store, `_data`. With options, what mount(2) can mount is mounted on it while the
// volume is in use: `type`, `o` and `device` as in Docker; `size` alone is a filesystem of that size in a file.

import { flag, rawSyscall, SystemError, syscall } from '../../../native-bindings/libc.ts';
import { AT_FDCWD } from '../../disk/files.ts';
import { errnos } from '../../sys/errno.ts';
import { DATA } from '../directory.ts';
import type { VolumeDriver, VolumePlace, VolumeRecord } from '../driver.ts';
import { isMountPoint } from '../mountinfo.ts';

const dataOf = (place: VolumePlace): string => `${place.directory}/${DATA}`;

export const localDriver: VolumeDriver = {
  scope: async () => 'local',
  async create(place, options) {
    if (Object.keys(options).length > 0) {
      const { assertLocalOptions } = await import('./local-options.ts');
      assertLocalOptions(place.name, options);
    }
    const data = dataOf(place);
    syscall(`create volume ${place.name}: make ${DATA}`, 'mkdirat', AT_FDCWD, data, 0o755);
    syscall(`create volume ${place.name}: set the mode of ${DATA}`, 'fchmodat', AT_FDCWD, data, 0o755);
    if (hasOwnFilesystem(options)) await (await import('./sized.ts')).makeFilesystem(place, options['size']!);
  },
  remove() {
    // All of it is in the volume's directory.
  },
  get: (place) => ({ mountpoint: dataOf(place) }),
  mounts: ({ options }) => options !== null,
  isMounted: (place) => isMountPoint(dataOf(place)),
  async mount(place, record) {
    const data = dataOf(place);
    if (isMountPoint(data)) return data;
    const options = record.options ?? {};
    if (hasOwnFilesystem(options)) await (await import('./sized.ts')).mountSized(place, data);
    else await (await import('./local-mount.ts')).mountLocal(place, options, data);
    return data;
  },
  unmount(place, _record, _holder, last) {
    if (last) unmount(place.name, dataOf(place));
  },
};

/** `size` without a type: the volume is a file with a filesystem in it. */
const hasOwnFilesystem = (options: NonNullable<VolumeRecord['options']>): boolean =>
  options['size'] !== undefined && options['type'] === undefined;

/** Unmounts a volume; that nothing is mounted is fine. Who still has a file of it open keeps that. */
export function unmount(name: string, path: string): void {
  const result = rawSyscall('umount2', path, flag('MNT_DETACH'));
  if (result < 0 && result !== -errnos['EINVAL']! && result !== -errnos['ENOENT']!)
    throw new SystemError(`unmount volume ${name} from ${path}`, -result);
}
