// A mount point that is missing inside of a read-only mount. Nothing is written to what is mounted there: an empty tmpfs gets
// the mount point, and lies as a layer below the innermost directory that is there. Everything else stays the mount that it is.
//
//   /data       bind, ro          has conf/, nothing in it
//   /data/conf  overlay, ro       the bind's own conf, over a tmpfs that has x/y
//   /data/conf/x/y                what was asked for

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { ReadOnlyMount } from './place.ts';

const WHY =
  'Inside of a read-only mount nothing can be made: a layer over its directory has the mount point, and its source stays as it is.';

/**
 * Init program: makes a mount point inside of a read-only mount; Linux 6.13.
 * @param path of the mount point, clean, relative to the root
 * @param file it is a file
 * @param unique makes labels unlike all others
 */
export function planScaffold(
  { target, attributes }: ReadOnlyMount,
  path: string,
  file: boolean,
  unique: string,
  from: string,
): Op[] {
  const parts = path.slice(target.length + 1).split('/');
  const words = (what: string): Words => ({ what, why: WHY, from });
  const build = (depth: number): string => `build-${unique}-${depth}`;
  const look = (depth: number): string => `look-${unique}-${depth}`;
  const depths = parts.map((_, depth) => parts.length - 1 - depth);
  const built = `built-${unique}`;
  return [
    ...depths.flatMap((depth) => {
      const base = [target, ...parts.slice(0, depth)].join('/');
      const missing = depth === 0 ? {} : { onError: { goto: { ENOENT: look(depth - 1) } } };
      return [
        o.label(look(depth)),
        o.openInRoot(o.reg('root'), base, ['O_PATH', 'O_DIRECTORY'], {
          ...words(`open /${base}, which is read-only`),
          to: 'base',
          ...missing,
        }),
        o.jump(build(depth), words(`/${base} is there`)),
      ];
    }),
    ...depths.flatMap((depth) => [
      o.label(build(depth)),
      ...planTmpfs(parts.slice(depth), file, words),
      o.jump(built, words('the mount point is made')),
    ]),
    o.label(built),
    ...planLayer(path, attributes, words),
  ];
}

/** A tmpfs with the missing directories, and the file, into register `scaffold`. */
function planTmpfs(parts: readonly string[], file: boolean, words: (what: string) => Words): Op[] {
  const scaffold = o.reg('scaffold');
  return [
    o.fsopen('tmpfs', { ...words('open a tmpfs for the mount point'), to: 'fs' }),
    o.fsconfigCreate(o.reg('fs'), words('make the tmpfs')),
    o.fsmount(o.reg('fs'), [], { ...words('make a mount of the tmpfs'), to: 'scaffold' }),
    o.close(o.reg('fs'), words('close the configuration of the tmpfs')),
    ...parts.map((_, i) => {
      const here = parts.slice(0, i + 1).join('/');
      return file && i === parts.length - 1
        ? o.mknodat(scaffold, here, 'S_IFREG', 0o755, 0, words(`make file ${here} in the tmpfs`))
        : o.mkdirat(scaffold, here, 0o755, words(`make directory ${here} in the tmpfs`));
    }),
  ];
}

/** The overlay of both, mounted on the directory of register `base`. */
function planLayer(path: string, attributes: readonly string[], words: (what: string) => Words): Op[] {
  const fs = o.reg('fs');
  const lower = (reg: string, what: string): Op =>
    o.call('fsconfig', [fs, o.flags('FSCONFIG_SET_FD'), 'lowerdir+', 0, o.reg(reg)], words(what));
  return [
    o.fsopen('overlay', { ...words(`open an overlay for /${path}`), to: 'fs' }),
    lower('base', 'put the directory on top'), // and so its mode and owner stay
    lower('scaffold', 'put the tmpfs below it'),
    o.fsconfigString(fs, 'redirect_dir', 'nofollow', words('set overlay option redirect_dir=nofollow')),
    o.fsconfigString(fs, 'metacopy', 'off', words('set overlay option metacopy=off')),
    o.fsconfigCreate(fs, words('make the overlay')),
    o.fsmount(fs, attributes, { ...words('make a mount of the overlay'), to: 'layer' }),
    o.moveMount(o.reg('layer'), o.reg('base'), words(`mount the layer with /${path}`)),
    ...['fs', 'layer', 'scaffold', 'base'].map((reg) => o.close(o.reg(reg), words(`close the ${reg}`))),
  ];
}
