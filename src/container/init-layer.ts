// The init layer of a container, on disk: the mount points that every container needs (plan/init-layer.ts), so that neither
// the image nor the container's own layer gets one.

import { rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { INIT_LAYER } from '../plan/init-layer.ts';

const S_IFREG = 0o100000; // <linux/stat.h>

/** Makes its entries in an empty directory. */
export function fillInitLayer(diff: number): void {
  const umask = rawSyscall('umask', 0);
  try {
    makeEntries(diff);
  } finally {
    rawSyscall('umask', umask);
  }
}

function makeEntries(diff: number): void {
  for (const entry of INIT_LAYER) {
    const name = entry.path.slice(1);
    const what = `make ${entry.path} in the init layer`;
    if (entry.type === 'directory') syscall(what, 'mkdirat', diff, name, entry.mode);
    else if (entry.type === 'link') syscall(what, 'symlinkat', entry.target, diff, name);
    else syscall(what, 'mknodat', diff, name, S_IFREG | entry.mode, 0);
  }
}
