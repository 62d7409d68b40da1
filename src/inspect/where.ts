// Where a path of a container comes from: a layer, its own layer, a file of its own, a mount; what it hides, and whether
// the container may write it.

import { S_IFDIR } from '../disk/inode.ts';
import { entriesHidden, type HiddenEntries } from './hidden-entries.ts';
import { copiesOf, type LayerCopy, shownOf } from './layers.ts';
import type { Seen } from './look.ts';
import type { MountEntry, MountTree } from './mount-tree.ts';
import { isWithin, joined, relativeTo } from './mountinfo.ts';
import type { RootLayer, Subject } from './subject.ts';
import { lookOnHost, resolveInside } from './view.ts';
import { type Writable, writableBy } from './writable.ts';

export interface Where {
  /** As it was asked for, and what it is behind all symlinks. */
  path: string;
  resolved: string;
  links: { path: string; target: string }[];
  /** Whether its mounts are there, or planned. */
  live: boolean;
  /** What is there; undefined: nothing, or nothing yet. */
  seen: Seen | undefined;
  /** The mount that its contents are of. */
  mount: MountEntry;
  /** One that only locks the path (readonlyPaths), on top of that. */
  locked: MountEntry | undefined;
  /** Of the root's files: the layer that the path is of. */
  layer: RootLayer | undefined;
  /** Of what is shown of the host: where it is there. */
  hostPath: string | undefined;
  /** The host has something else there by now than what was mounted, as where an editor has saved a file. */
  replaced: boolean;
  /** What the layers have at the path, topmost first: that which is shown, and that which is hidden. */
  copies: readonly LayerCopy[];
  /** Mounts that are covered by another on the same place, or by one above it. */
  covered: readonly MountEntry[];
  /** Below a mount: what the root has in the directory that it is mounted on. */
  hidden: HiddenEntries | undefined;
  writable: Writable;
}

/**
 * Tells where a path is from.
 * @param path in the container; a relative one starts at its root
 * @param last whether a symlink in the last place is followed
 * @throws TinyrunError USAGE for symlinks without end; SystemError
 */
export function whereIs(subject: Subject, tree: MountTree, path: string, last = true): Where {
  const { path: resolved, seen, links, deepest } = resolveInside(tree.look, path, last);
  const top = mountOf(tree, resolved, seen);
  const mount = contentsOf(tree, top);
  const copies = copiesOf(subject.layers, resolved.slice(1));
  const isRoot = mount.role === 'rootfs';
  const place = seen === undefined ? deepest : resolved;
  // Of a filesystem that is yet to be made nothing is known, and what is around it does not count.
  const inside = isWithin(place, top.target) ? tree.look(place) : undefined;
  const hostPath = hostPathOf(mount, resolved, shownOf(copies));
  const isBound = tree.live && mount.role === 'bind' && !mount.layered && mount.target === resolved;
  return {
    ...{ path, resolved, links, live: tree.live, seen, mount, copies, hostPath },
    replaced: isBound && hostPath !== undefined && lookOnHost(hostPath, '')?.identity !== seen?.identity,
    locked: top === mount ? undefined : top,
    layer: isRoot ? (shownOf(copies)?.layer ?? subject.layers[0]) : undefined,
    covered: tree.mounts.filter((one) => one !== top && one !== mount && isCovered(one, top, resolved, tree)),
    hidden: isRoot ? undefined : entriesHidden(subject.layers, mount.target),
    writable:
      seen === undefined && inside !== undefined && inside.type !== S_IFDIR
        ? { writable: false, reasons: [`${place} is not a directory`] }
        : writableBy(subject.config, inside, place, top),
  };
}

/** The mount of what was seen; of what is not mounted yet, the deepest that it would be in. */
function mountOf({ live, mounts }: MountTree, path: string, seen: Seen | undefined): MountEntry {
  const byId = live ? mounts.find(({ id }) => id === seen?.mountId) : undefined;
  const around = mounts.filter(({ target }) => isWithin(path, target));
  const deepest = Math.max(...around.map(({ target }) => target.length));
  return byId ?? around.findLast(({ target }) => target.length === deepest) ?? mounts[0]!;
}

/** A path that is only locked is mounted on itself: what is there is of the mount below. */
function contentsOf({ mounts }: MountTree, mount: MountEntry): MountEntry {
  const below = mounts.find(({ id }) => id === mount.parent);
  return mount.role === 'readonly-path' && below !== undefined ? below : mount;
}

function hostPathOf(mount: MountEntry, path: string, shown: LayerCopy | undefined): string | undefined {
  if (mount.role === 'rootfs') return shown && joined(shown.layer.path, path.slice(1));
  return mount.hostPath && joined(mount.hostPath, relativeTo(path, mount.target));
}

/** Another mount at the path or around it that would be seen if `top` were not there; the root is told by its layers. */
function isCovered(one: MountEntry, top: MountEntry, path: string, { mounts }: MountTree): boolean {
  if (one.role === 'rootfs' || !isWithin(path, one.target) || !isWithin(one.target, top.target)) return false;
  return mounts.indexOf(one) < mounts.indexOf(top);
}
