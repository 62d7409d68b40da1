// The directories of a container's root, merged: what a new volume is filled from. Of several an overlay is mounted, which is
// attached nowhere and gone with its descriptor: the kernel itself knows best what whiteouts and opaque directories hide.

import { close, flag, fsconfig, fsmount, fsopen } from '../../native-bindings/libc.ts';
import { openDirectoryAt } from './subpath.ts';

/**
 * Opens the merged view.
 * @param roots topmost first
 * @returns a descriptor to close; undefined where there are none
 * @throws SystemError, TinyrunError
 */
export function openRoots(roots: readonly string[]): number | undefined {
  const [first] = roots;
  if (first === undefined) return undefined;
  if (roots.length === 1) return openDirectoryAt(first, 'look into the rootfs');
  const context = fsopen('overlay', flag('FSOPEN_CLOEXEC'));
  try {
    const set = (key: string, value: string): unknown =>
      fsconfig(context, flag('FSCONFIG_SET_STRING'), key, value, 0);
    for (const root of roots) set('lowerdir+', root);
    for (const option of ['redirect_dir=nofollow', 'metacopy=off'])
      set(...(option.split('=') as [string, string]));
    fsconfig(context, flag('FSCONFIG_CMD_CREATE'), null, null, 0);
    return fsmount(context, flag('FSMOUNT_CLOEXEC'), flag('MOUNT_ATTR_RDONLY'));
  } finally {
    close(context);
  }
}
