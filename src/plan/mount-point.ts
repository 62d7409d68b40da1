// A place inside the rootfs to mount on: opened, and made where it is missing. The rootfs is hostile: every step is
// resolved by openat2(RESOLVE_IN_ROOT) from the root's own descriptor, so that a symlink, even one swapped in between
// two steps, leads nowhere but into the rootfs itself (CVE-2021-30465, CVE-2024-45310).

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';

/** `/a/../b//c/` -> `b/c`; `/` -> ``. Purely textual, like path.Clean: what runc does with destinations. */
export function cleanInside(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/**
 * Opens `path` (clean, relative to the root) into register `to`, making it and its parents where missing.
 * @param unique makes the labels of this place unlike all others
 */
export function planMountPoint(path: string, kind: 'directory' | 'file', to: string, unique: string, from: string): Op[] {
  const words = (what: string, why: string): Words => ({ what, why, from });
  const open = (name: string, how: readonly string[], register: string, onMissing?: string): Op =>
    o.openInRoot(o.reg('root'), name, how, {
      ...words(`open /${name} in the rootfs`, 'Resolved once, inside the rootfs; from here on the descriptor is used, never the path.'),
      to: register,
      ...(onMissing === undefined ? {} : { onError: { goto: { ENOENT: onMissing } } }),
    });
  const how = kind === 'directory' ? ['O_PATH', 'O_DIRECTORY'] : ['O_PATH'];
  const make = `make-${unique}`;
  const have = `have-${unique}`;
  return [
    open(path, how, to, make),
    o.jump(have, words(`/${path} is there`, 'Most mount points exist already: nothing has to be made.')),
    o.label(make),
    ...makeParts(path, kind, words),
    open(path, how, to),
    o.label(have),
  ];
}

/** Makes one component after the other, each in its parent's descriptor: mkdir(2) itself would follow symlinks. */
function makeParts(
  path: string,
  kind: 'directory' | 'file',
  words: (what: string, why: string) => Words,
): Op[] {
  const ops: Op[] = [];
  const parts = path.split('/');
  parts.forEach((part, i) => {
    const parent = parts.slice(0, i).join('/');
    const here = parts.slice(0, i + 1).join('/');
    const last = i === parts.length - 1;
    const at = i === 0 ? 'root' : 'parent';
    const why = last ? 'A mount needs something of its own kind to stand on.' : 'The way to the mount point must exist.';
    if (i > 0) {
      ops.push(
        o.openInRoot(o.reg('root'), parent, ['O_PATH', 'O_DIRECTORY'], {
          ...words(`open /${parent} in the rootfs`, 'Its parent, resolved inside the rootfs like everything else.'),
          to: 'parent',
        }),
      );
    }
    const extra = {
      ...words(`make ${last ? kind : 'directory'} /${here} in the rootfs`, why),
      onError: { ignore: ['EEXIST'] },
    };
    ops.push(
      last && kind === 'file'
        ? o.mknodat(o.reg(at), part, 'S_IFREG', 0o755, 0, extra)
        : o.mkdirat(o.reg(at), part, 0o755, extra),
    );
    if (i > 0) {
      ops.push(o.close(o.reg('parent'), words('close the parent', 'A container with many mounts must not run out of descriptors.')));
    }
  });
  return ops;
}
