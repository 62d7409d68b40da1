// A volume of limited size on any filesystem: a sparse file with an ext4 in it, mounted while the volume is in use. When
// it is full, that is ENOSPC inside, and nothing to others.

import { close, flag, open, rawSyscall, SystemError, syscall } from '../../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY } from '../../disk/files.ts';
import { TinyrunError } from '../../errors.ts';
import { errnos } from '../../sys/errno.ts';
import type { VolumePlace } from '../driver.ts';
import { mountFilesystem } from './filesystem.ts';
import { volumeSize } from './local-options.ts';
import { attachLoop } from './loop.ts';

const IMAGE = 'filesystem.img';
/** Where mkfs.ext4 is looked for: never along the caller's PATH, never in an image. */
const SEARCHED = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin'];

/**
 * Makes the file and the filesystem in it.
 * @param size as given
 * @throws TinyrunError HOST where mkfs.ext4 is missing, or fails
 */
export function makeFilesystem(place: VolumePlace, size: string): void {
  const path = `${place.directory}/${IMAGE}`;
  const what = `create volume ${place.name}: make a file of ${size}`;
  const how = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_CLOEXEC');
  const fd = syscall(what, 'openat', AT_FDCWD, path, how, 0o600);
  try {
    syscall(what, 'ftruncate', fd, volumeSize(place.name, size));
  } finally {
    close(fd);
  }
  const mkfs = findMkfs(place.name);
  // No blocks are set aside for root: all of the size is the user's.
  const made = Bun.spawnSync([mkfs, '-q', '-F', '-m', '0', '-E', 'nodiscard', path], {
    env: { PATH: SEARCHED.join(':') },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  });
  if (made.exitCode !== 0)
    throw new TinyrunError('HOST', `create volume ${place.name}: ${mkfs}: ${lastLine(made.stderr)}`);
}

const lastLine = (text: Buffer): string => text.toString().trim().split('\n').at(-1) ?? '';

function findMkfs(name: string): string {
  for (const directory of SEARCHED) {
    const path = `${directory}/mkfs.ext4`;
    const fd = open(path, flag('O_PATH'));
    if (fd < 0) continue;
    close(fd);
    return path;
  }
  throw new TinyrunError(
    'HOST',
    `create volume ${name}: a size takes mkfs.ext4, which is not in ${SEARCHED.join(', ')}`,
    {
      hint: 'install e2fsprogs, or keep the data in memory: -o type=tmpfs -o device=tmpfs -o o=size=10m',
    },
  );
}

/**
 * Mounts the filesystem.
 * @throws TinyrunError HOST
 */
export function mountSized(place: VolumePlace, target: string): void {
  const loop = attachLoop(`${place.directory}/${IMAGE}`, false);
  try {
    const options = ['errors=remount-ro'];
    mountFilesystem({ volume: place.name, type: 'ext4', device: loop.path, options, target });
  } finally {
    close(loop.fd);
  }
  removeLostAndFound(target);
}

/** mkfs makes it; a new volume is empty. fsck makes it again where it needs it. */
function removeLostAndFound(target: string): void {
  const fd = syscall(`open ${target}`, 'openat', AT_FDCWD, target, DIRECTORY, 0);
  const result = rawSyscall('unlinkat', fd, 'lost+found', flag('AT_REMOVEDIR'));
  close(fd);
  const fine = ['ENOENT', 'ENOTEMPTY', 'EROFS', 'ENOTDIR'].map((name) => -errnos[name]!);
  if (result < 0 && !fine.includes(result)) throw new SystemError(`remove ${target}/lost+found`, -result);
}
