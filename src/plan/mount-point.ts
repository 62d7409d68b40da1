// A place inside the rootfs to mount on: opened, and made where it is missing. The rootfs is hostile: every step is
// resolved by openat2(RESOLVE_IN_ROOT) from the root's own descriptor, so that a symlink, even one swapped in between
// two steps, leads nowhere but into the rootfs itself (CVE-2021-30465, CVE-2024-45310).

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { Place, ReadOnlyMount } from './place.ts';
import { planScaffold } from './scaffold.ts';

/** A directory and a path below it, where something can be attached. */
export interface Target {
  ops: Op[];
  dir: o.Fd;
  /** Empty: `dir` itself. */
  path: string;
  /** Ops that close what `ops` opened. */
  close: Op[];
}

type Explain = (what: string, why: string) => Words;
/** `ordinary`: a directory that is no symlink, also not to one. */
export type Kind = 'directory' | 'ordinary' | 'file';

/**
 * The place to attach a mount, made where it is missing.
 * @param path clean, relative to the root
 * @param unique makes the labels of this place unlike all others
 */
export function planTarget(place: Place, path: string, kind: Kind, unique: string, from: string): Target {
  const words: Explain = (what, why) => ({ what, why, from });
  if (place.known !== 'trusted') {
    const ops =
      place.known === 'present'
        ? [planOpen(path, kind, 'target', words, undefined, ['RESOLVE_NO_SYMLINKS'])]
        : planMountPoint(path, kind, 'target', unique, from, place.readOnly);
    const close = o.close(o.reg('target'), words(`close /${path}`, CLOSE));
    return { ops, dir: o.reg('target'), path: '', close: [close] };
  }
  const deep = place.path.includes('/');
  // In proc and sysfs the kernel makes the names; a tmpfs of ours is empty but for what this plan has made.
  if (place.type === 'kernel') return { ops: [], dir: o.reg(place.reg), path: place.path, close: [] };
  if (deep) return planTarget({ known: 'unknown' }, path, kind, unique, from);
  const make = kind === 'file' ? planFile : planDirectory;
  return {
    ops: [make(o.reg(place.reg), place.path, path, words)],
    dir: o.reg(place.reg),
    path: place.path,
    close: [],
  };
}

/** Register of the rootfs' descriptor: the detached mount, and the root directory once it is attached. */
export const ROOT = o.reg('root');

export const CLOSE = 'Every mount and directory costs a descriptor until it is closed.';
const RESOLVED = 'Resolved once, inside the rootfs; from here on the descriptor is used, never the path.';
const STAND = 'A mount needs something of its own kind to stand on.';
const ALREADY = { onError: { ignore: ['EEXIST'] } };

const planFile = (dir: o.Fd, name: string, path: string, words: Explain): Op =>
  o.mknodat(dir, name, 'S_IFREG', 0o755, 0, { ...words(`make file /${path}`, STAND), ...ALREADY });
const planDirectory = (dir: o.Fd, name: string, path: string, words: Explain): Op =>
  o.mkdirat(dir, name, 0o755, { ...words(`make directory /${path}`, STAND), ...ALREADY });

const OPEN: Readonly<Record<Kind, readonly string[]>> = {
  directory: ['O_PATH', 'O_DIRECTORY'],
  ordinary: ['O_PATH', 'O_DIRECTORY', 'O_NOFOLLOW'],
  file: ['O_PATH'],
};

function planOpen(
  path: string,
  kind: Kind,
  to: string,
  words: Explain,
  onMissing?: string,
  resolve: o.Flags = [],
): Op {
  const extra = {
    ...words(
      `open /${path} in the rootfs${kind === 'ordinary' ? ' as an ordinary directory' : ''}`,
      RESOLVED,
    ),
    to,
    ...(onMissing === undefined ? {} : { onError: { goto: { ENOENT: onMissing } } }),
  };
  return o.openInRoot(o.reg('root'), path, OPEN[kind], extra, resolve);
}

/**
 * Opens `path` (clean, relative to the root) into register `to`, making it and its parents where missing.
 * @param readOnly the mount around it, where nothing can be made
 */
export function planMountPoint(
  path: string,
  kind: Kind,
  to: string,
  unique: string,
  from: string,
  readOnly?: ReadOnlyMount,
): Op[] {
  const words: Explain = (what, why) => ({ what, why, from });
  const make = `make-${unique}`;
  const have = `have-${unique}`;
  return [
    planOpen(path, kind, to, words, make),
    o.jump(have, words(`/${path} is there`, 'Nothing has to be made.')),
    o.label(make),
    ...(readOnly === undefined
      ? planParts(path, kind, words)
      : planScaffold(readOnly, path, kind === 'file', unique, from)),
    planOpen(path, kind, to, words),
    o.label(have),
  ];
}

/** Makes one component after the other, each in its parent's descriptor: mkdir(2) itself would follow symlinks. */
export function planParts(path: string, kind: Kind, words: Explain): Op[] {
  const parts = path.split('/');
  return parts.flatMap((part, i) => {
    const here = parts.slice(0, i + 1).join('/');
    const make = i === parts.length - 1 && kind === 'file' ? planFile : planDirectory;
    if (i === 0) return [make(o.reg('root'), part, here, words)];
    return [
      planOpen(parts.slice(0, i).join('/'), 'directory', 'parent', words),
      make(o.reg('parent'), part, here, words),
      o.close(o.reg('parent'), words('close the parent', CLOSE)),
    ];
  });
}
