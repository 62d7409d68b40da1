// The cgroups below a container's own. What is in a container may make such, with any bytes for a name, and nested deeper
// than paths or open files reach: so each is opened in the one above, one is open at a time, and the way back is `..`.

import { close, rawSyscall, SystemError } from '../../../native-bindings/libc.ts';
import { DIRECTORY, type Name, readNames } from '../../disk/files.ts';
import { errnos } from '../../sys/errno.ts';

export interface Visitor {
  /** Each cgroup, open, before those below it. */
  enter?: (fd: number) => void;
  /** Each cgroup behind those below it, by its name in the one above, which is open. */
  leave?: (parent: number, name: Name) => void;
}

/** What openat(2) says of the kernel's own files, and of a cgroup that was removed meanwhile. */
const NONE = ['ENOTDIR', 'ENOENT', 'ENODEV'].map((name) => -errnos[name]!);

/**
 * Visits all cgroups below one. Those that come and go meanwhile may be missing.
 * @param top descriptor; it stays open
 * @throws SystemError
 */
export function walkBelow(top: number, visitor: Visitor): void {
  const above: { name: Name; names: Name[] }[] = [];
  let here = top;
  let names = readNames(top);
  const go = (fd: number): void => {
    if (here !== top) close(here);
    here = fd;
  };
  try {
    for (;;) {
      const name = names.pop();
      if (name !== undefined) {
        const fd = rawSyscall('openat', here, name, DIRECTORY, 0);
        if (fd < 0 && !NONE.includes(fd)) throw new SystemError('open a cgroup', -fd);
        if (fd < 0) continue;
        above.push({ name, names });
        go(fd);
        visitor.enter?.(fd);
        names = readNames(fd);
        continue;
      }
      const parent = above.pop();
      if (parent === undefined) return;
      const up = above.length === 0 ? top : rawSyscall('openat', here, '..', DIRECTORY, 0);
      if (up < 0) return; // somebody else removes it: who wants it gone looks again
      go(up);
      visitor.leave?.(up, parent.name);
      names = parent.names;
    }
  } finally {
    go(top);
  }
}
