// The directories of a container's root, merged: what a new volume is filled from. Of several an overlay is mounted, which is
// attached nowhere and gone with its descriptor: the kernel itself knows best what whiteouts and opaque directories hide.

import { close, flag, fsconfig, fsmount, fsopen } from '../../native-bindings/libc.ts';
import { openDirectoryAt } from './subpath.ts';

/** Bytes of a string of fsconfig(2), with its NUL. */
const LONGEST = 256;

/**
 * Opens the merged view.
 * @param roots topmost first, one at least
 * @returns a descriptor to close
 * @throws SystemError, TinyrunError
 */
export function openRoots(roots: readonly string[]): number {
  const [first = ''] = roots;
  if (roots.length === 1) return openDirectoryAt(first, 'look into the rootfs');
  const context = fsopen('overlay', flag('FSOPEN_CLOEXEC'));
  try {
    for (const root of roots) addLayer(context, root);
    for (const [key, value] of [['redirect_dir', 'nofollow'] as const, ['metacopy', 'off'] as const])
      fsconfig(context, flag('FSCONFIG_SET_STRING'), key, value, 0);
    fsconfig(context, flag('FSCONFIG_CMD_CREATE'), null, null, 0);
    return fsmount(context, flag('FSMOUNT_CLOEXEC'), flag('MOUNT_ATTR_RDONLY'));
  } finally {
    close(context);
  }
}

/** A long path is handed over as a descriptor, Linux 6.13. */
function addLayer(context: number, path: string): void {
  if (Buffer.byteLength(path) < LONGEST) {
    fsconfig(context, flag('FSCONFIG_SET_STRING'), 'lowerdir+', path, 0);
    return;
  }
  const fd = openDirectoryAt(path, 'open a layer');
  try {
    fsconfig(context, flag('FSCONFIG_SET_FD'), 'lowerdir+', null, fd);
  } finally {
    close(fd);
  }
}
