// What a directory is like in the layers below. Some archives of a layer have `a/b` without `a`: made anew, `a` would hide
// what the layers below say of its mode and owner. And a layer's own top directory is the whole root's, seen from above.

import { close, syscall } from '../../native-bindings/libc.ts';
import { type Attributes, readXattrs } from '../archive/attributes.ts';
import { openBeneath } from '../archive/directories.ts';
import { type ByteString, byteString, displayName, splitPath } from '../archive/names.ts';
import { hideBelow } from '../archive/place.ts';
import { isOpaque, makeWhiteout } from '../archive/whiteouts.ts';
import { AT_FDCWD, DIRECTORY, readNames } from '../disk/files.ts';
import { errno, must, statInode } from '../disk/inode.ts';

/**
 * The attributes of a directory as the layers below show it; undefined where they have none.
 * @param lowers their directories, topmost first
 * @param path from the root; empty: the root itself
 * @throws SystemError
 */
export function inheritedAttributes(lowers: readonly string[], path: ByteString): Attributes | undefined {
  for (const lower of lowers) {
    const found = lookIn(lower, path);
    if (found === 'hidden') return undefined;
    if (found !== 'missing') return found;
  }
  return undefined;
}

function lookIn(lower: string, path: ByteString): Attributes | 'missing' | 'hidden' {
  const root = syscall(`open layer ${lower}`, 'openat', AT_FDCWD, lower, DIRECTORY, 0);
  try {
    const fd = openBeneath(root, path, DIRECTORY);
    if (fd === errno('ENOENT')) return isHiddenBelow(root, path) ? 'hidden' : 'missing';
    if (fd === errno('ENOTDIR') || fd === errno('ELOOP')) return 'hidden'; // a whiteout, or something else
    const what = `look at ${displayName(path) || '.'} of layer ${lower}`;
    must(fd, what);
    try {
      const { mode, uid, gid, mtime } = statInode(fd, what);
      return { mode, uid, gid, mtime, xattrs: readXattrs(fd, what) };
    } finally {
      close(fd);
    }
  } finally {
    close(root);
  }
}

/** Whether the layer has a directory on the way that shows nothing of those below. */
function isHiddenBelow(root: number, path: ByteString): boolean {
  for (let above = splitPath(path).parent; above !== ''; above = splitPath(above).parent) {
    const fd = openBeneath(root, above, DIRECTORY);
    if (fd < 0) continue;
    try {
      return isOpaque(fd);
    } finally {
      close(fd);
    }
  }
  return false;
}

/**
 * Hides all that the layers below have in the root, where overlayfs knows no opaque directory.
 * @param root fd of the new layer's directory; what is in it stays
 * @throws SystemError
 */
export function hideRoots(root: number, lowers: readonly string[]): void {
  for (const lower of lowers) {
    const fd = syscall(`open layer ${lower}`, 'openat', AT_FDCWD, lower, DIRECTORY, 0);
    try {
      for (const base of readNames(fd).map(byteString))
        if (!makeWhiteout(root, base)) hideBelow({ path: base, directory: root, base });
    } finally {
      close(fd);
    }
  }
}
