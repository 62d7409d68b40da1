// A container's file tree as one can look at it from outside: through the root of its process while it runs, else through
// its layers and the sources of the mounts that it will have.

import { close, flag, rawSyscall } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { copiesOf, shownOf } from './layers.ts';
import { lookAt, lookAtOpen, type Seen } from './look.ts';
import type { MountEntry } from './mount-tree.ts';
import { isWithin, joined, relativeTo } from './mountinfo.ts';
import type { RootLayer } from './subject.ts';

/** Looks at a clean absolute path whose directories are no symlinks; undefined where nothing is, or nobody can tell. */
export type Look = (path: string) => Seen | undefined;

export interface Resolved {
  /** Clean and absolute; what is missing of it is taken as it is written. */
  path: string;
  /** What is there; undefined: nothing. */
  seen: Seen | undefined;
  /** The symlinks that were followed, in their order. */
  links: { path: string; target: string }[];
  /** The longest part of the path that is there: `path` itself if `seen` is. */
  deepest: string;
}

const MOST_LINKS = 40; // path_resolution(7)

/**
 * Follows a path inside the root, as the kernel would for the container: symlinks start at its root, and `..` does not
 * leave it.
 * @param last whether a symlink in the last place is followed, too
 * @throws TinyrunError USAGE for symlinks without end
 */
export function resolveInside(look: Look, path: string, last: boolean): Resolved {
  const todo = path.split('/');
  const links: Resolved['links'] = [];
  let here = '/';
  let seen = look('/');
  let deepest = '/';
  while (todo.length > 0) {
    const part = todo.shift()!;
    if (part === '' || part === '.') continue;
    const next = part === '..' ? here.slice(0, here.lastIndexOf('/')) || '/' : joined(here, part);
    const found = look(next);
    if (found?.link === undefined || (todo.every((rest) => rest === '') && !last)) {
      here = next;
      seen = found;
      if (found !== undefined) deepest = next;
      continue;
    }
    links.push({ path: next, target: found.link });
    if (links.length > MOST_LINKS)
      throw new TinyrunError('USAGE', `follow ${path} in the container: ELOOP too many symlinks`);
    todo.unshift(...found.link.split('/'));
    if (found.link.startsWith('/')) here = '/';
  }
  return { path: here, seen, links, deepest };
}

/** Through the open root of the container's process, with all its mounts. */
export const lookThroughProcess =
  (root: number): Look =>
  (path) =>
    lookAt(root, path.slice(1), true);

/** Through the layers and the sources of planned mounts. A filesystem that is yet to be made has nothing to be seen. */
export const lookAtRest =
  (layers: readonly RootLayer[], mounts: readonly MountEntry[]): Look =>
  (path) => {
    const mount = mounts.findLast(({ target }) => isWithin(path, target));
    if (mount === undefined || mount.role === 'rootfs') return shownOf(copiesOf(layers, path.slice(1)))?.seen;
    if (mount.hostPath !== undefined) return lookOnHost(mount.hostPath, relativeTo(path, mount.target));
    return undefined;
  };

/** Looks below a directory of the host, or at a file of it; the way there is the host's. */
export function lookOnHost(hostPath: string, relative: string): Seen | undefined {
  const fd = rawSyscall('openat', flag('AT_FDCWD'), hostPath, flag('O_PATH', 'O_CLOEXEC'), 0);
  if (fd < 0) return undefined;
  try {
    return relative === '' ? lookAtOpen(fd, hostPath) : lookAt(fd, relative, true);
  } finally {
    close(fd);
  }
}
