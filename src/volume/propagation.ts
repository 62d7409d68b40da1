// Whether a bind can hand mounts on, as shared and slave ask for: only if the mount that its source is on does so itself.
// mount_namespaces(7).

import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { VolumeMount } from './mount.ts';
import { type MountLine, mountWithId } from './mountinfo.ts';

/**
 * Refuses a bind that would not do what its propagation says.
 * @throws TinyrunError CONFIG in Docker's words, with the command that makes it work
 */
export function assertPropagates({
  type,
  source = '/',
  propagation = 'rprivate',
  flag: from,
}: VolumeMount): void {
  if (type !== 'bind' || propagation.endsWith('private')) return;
  const mount = mountOf(source);
  if (mount === undefined) return; // nothing there: the mount itself says so
  const shared = propagation.endsWith('shared');
  if (mount.shared || (!shared && mount.slave)) return;
  const wanted = shared ? 'a shared mount' : 'a shared or slave mount';
  throw new TinyrunError(
    'CONFIG',
    `${from}: path ${source} is mounted on ${mount.target} but it is not ${wanted}`,
    {
      hint: `make it one: mount --make-shared ${mount.target}`,
      data: { source, mount: mount.target },
    },
  );
}

/** The mount that a path is on: of several on the same place, the one that is seen. */
function mountOf(path: string): MountLine | undefined {
  const statx = new Uint8Array(256);
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/')) || '/') {
    if (rawSyscall('statx', AT_FDCWD, at, 0, flag('STATX_MNT_ID'), statx) === 0) break;
    if (at === '/') return undefined;
  }
  return mountWithId(new DataView(statx.buffer).getBigUint64(144, true)); // stx_mnt_id
}
