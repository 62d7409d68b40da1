// Devices of the host that a container may use: those of --device, and all of them for a privileged one.

import { close, flag, open, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { listDirectory } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { Device } from '../oci/config.ts';
import { errnoName, errnoWords } from '../sys/errno.ts';
import type { DeviceMapping, HostConfig } from './config.ts';
import type { StartFacts } from './oci-config.ts';

type Granted = StartFacts['devices'][number];

/** In /dev, but no devices of the host: what each container has its own of, or must not have. */
const OWN = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev'];
const [S_IFMT, S_IFDIR, S_IFCHR, S_IFBLK] = [0o170000, 0o040000, 0o020000, 0o060000];

/**
 * The devices of a container, as they are on the host now.
 * @throws TinyrunError USAGE for one that is not there, or is no device
 */
export function grantedDevices({ Privileged, Devices }: HostConfig): Granted[] {
  if (Privileged) return devicesBelow('/dev', '/dev').map((device) => ({ device, access: 'rwm' }));
  return Devices.flatMap(mappedDevices);
}

/** A directory means all devices in it. */
function mappedDevices({ PathOnHost, PathInContainer, CgroupPermissions }: DeviceMapping): Granted[] {
  const found = lookAt(PathOnHost, PathInContainer);
  const refuse = (why: string): TinyrunError =>
    new TinyrunError(
      'USAGE',
      `error gathering device information while adding custom device "${PathOnHost}": ${why}`,
      {
        data: { path: PathOnHost },
      },
    );
  if (typeof found === 'number') throw refuse(`${errnoName(-found)} ${errnoWords[errnoName(-found)] ?? ''}`);
  if (found === 'directory')
    return devicesBelow(PathOnHost, PathInContainer).map((device) => ({ device, access: CgroupPermissions }));
  if (found === 'other') throw refuse('not a device node');
  return [{ device: found, access: CgroupPermissions }];
}

function devicesBelow(directory: string, inContainer: string): Device[] {
  const names = listDirectory(directory).filter((name) => !OWN.includes(name) && name !== 'console');
  return names.sort().flatMap((name) => {
    const [path, target] = [`${directory}/${name}`, `${inContainer}/${name}`];
    const found = lookAt(path, target, false);
    if (found === 'directory') return devicesBelow(path, target);
    return typeof found === 'object' ? [found] : [];
  });
}

/**
 * What is at a path: a device, or something else, or the negative errno.
 * @param follow symlinks, which a user may name as a device
 */
function lookAt(path: string, target: string, follow = true): Device | 'directory' | 'other' | number {
  const fd = open(path, flag('O_PATH', 'O_CLOEXEC', ...(follow ? [] : ['O_NOFOLLOW'])));
  if (fd < 0) return fd;
  const statx = new Uint8Array(256);
  const result = rawSyscall('statx', fd, '', flag('AT_EMPTY_PATH'), flag('STATX_BASIC_STATS'), statx);
  close(fd);
  if (result < 0) throw new SystemError(`look at ${path}`, -result);
  const view = new DataView(statx.buffer); // struct statx
  const mode = view.getUint16(28, true);
  const kind = mode & S_IFMT;
  if (kind === S_IFDIR) return 'directory';
  if (kind !== S_IFCHR && kind !== S_IFBLK) return 'other';
  return {
    type: kind === S_IFCHR ? 'c' : 'b',
    path: target,
    major: view.getUint32(128, true),
    minor: view.getUint32(132, true),
    fileMode: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
  };
}
