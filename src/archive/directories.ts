// The directory that entries are made in, open: one after the other, as archives have what is in a directory in one
// place. It is found from the root by openat2(2), which neither leaves the root nor follows a symlink, whoever made that:
// an entry before, a container that runs meanwhile. What is missing on the way is made step by step.

import { close, flag, rawOpenat2, SystemError } from '../../native-bindings/libc.ts';
import { errno } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { type ByteString, displayName, pathBytes, splitPath } from './names.ts';

const RESOLVE = flag('RESOLVE_BENEATH', 'RESOLVE_NO_SYMLINKS', 'RESOLVE_NO_MAGICLINKS');

/** openat2(2) below a root, without following anything. Returns the fd or the negative errno. */
export function openBeneath(root: number, path: ByteString, flags: number): number {
  return rawOpenat2(root, pathBytes(path === '' ? '.' : path), flags, RESOLVE);
}

/** Without O_NOFOLLOW, so that a symlink is told from other things in the way: ELOOP. */
const FOLLOWING_NOTHING = flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC');

export interface Directories {
  /** The directory of this path, valid until the next call. Makes what is missing. */
  open(path: ByteString): number;
  close(): void;
}

/**
 * @param root fd of the tree's top
 * @param make makes a directory that was missing a moment ago
 * @throws TinyrunError ARCHIVE where something that is no directory is in the way
 */
export function directoriesOf(
  root: number,
  make: (place: { path: ByteString; directory: number; base: ByteString }) => void,
): Directories {
  let current: { path: ByteString; fd: number } | undefined;

  const forget = (): void => {
    if (current !== undefined) close(current.fd);
    current = undefined;
  };
  const makeMissing = (path: ByteString): number => {
    const { parent, base } = splitPath(path);
    const above = openOrMake(parent);
    try {
      make({ path, directory: above, base });
      // From the one above: from the root, a path of thousands of parts would be walked as often.
      const fd = openBeneath(above, base, FOLLOWING_NOTHING);
      return fd < 0 ? refuse(path, fd) : fd;
    } finally {
      close(above);
    }
  };
  const openOrMake = (path: ByteString): number => {
    const fd = openBeneath(root, path, FOLLOWING_NOTHING);
    if (fd >= 0) return fd;
    // ENOTDIR: a whiteout of this layer may be in the way, which gives way.
    const missing = fd === errno('ENOENT') || fd === errno('ENOTDIR');
    return missing && path !== '' ? makeMissing(path) : refuse(path, fd);
  };

  return {
    open(path) {
      if (current?.path !== path) {
        const fd = openOrMake(path);
        forget();
        current = { path, fd };
      }
      return current!.fd;
    },
    close: forget,
  };

  function refuse(path: ByteString, result: number): never {
    if (result === errno('ELOOP')) throw inTheWay(path, 'a symlink is');
    if (result === errno('ENOTDIR')) throw inTheWay(path, 'something that is no directory is');
    throw new SystemError(`open directory ${displayName(path)}`, -result);
  }
}

const inTheWay = (path: ByteString, what: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `${what} on the way to ${displayName(path)}, which is never followed`);
