// The mounts of a container: as the kernel lists them while it runs, else as its config and flags ask for them. Each with
// what asked for it.

import { close } from '../../native-bindings/libc.ts';
import { readText } from '../runtime/probe.ts';
import { type ExpectedMount, expectedMounts, type MountRole } from './expected-mounts.ts';
import {
  isWithin,
  joined,
  type MountInfo,
  type Propagation,
  parseMountinfo,
  relativeTo,
} from './mountinfo.ts';
import { openProcessRoot, type Subject } from './subject.ts';
import { type Look, lookAtRest, lookThroughProcess, resolveInside } from './view.ts';

export interface MountEntry {
  id: number;
  /** The mount that its target is in; its own id: none that the container sees. */
  parent: number;
  target: string;
  /** Of the filesystem; undefined: it is not mounted yet, and will be that of its source. */
  type: string | undefined;
  source: string;
  options: readonly string[];
  superOptions: readonly string[];
  propagation: Propagation;
  role: MountRole;
  /** `config.json /mounts/3`, `--volume`, ... */
  by: string;
  /** Directory or file of the host that it shows. */
  hostPath: string | undefined;
  /** Of a bind or volume: writes go to a layer over it. */
  layered: boolean;
  /** What is known of the mount of a flag. */
  point: ExpectedMount['point'];
}

export interface MountTree {
  /** As the kernel has them; else as they are planned. */
  live: boolean;
  /** Each behind the one that it is in; those of one place in the order in which they were made. */
  mounts: readonly MountEntry[];
  look: Look;
}

/**
 * Calls `use` with the mounts of a container and a way to look at its files, which is good until `use` returns.
 * @throws SystemError where its process cannot be looked into
 */
export function withMountTree<T>(subject: Subject, use: (tree: MountTree) => T): T {
  const root = openProcessRoot(subject);
  if (root === undefined) return use(plannedTree(subject));
  try {
    return use(liveTree(subject, root) ?? plannedTree(subject));
  } finally {
    close(root);
  }
}

const MOUNTINFO_LIMIT = 1 << 26;

/** undefined: the process has ended meanwhile, and with it its list. */
function liveTree(subject: Subject, root: number): MountTree | undefined {
  const text = readText(`/proc/${subject.init?.pid}/mountinfo`, MOUNTINFO_LIMIT);
  if (typeof text === 'number' || text === '') return undefined;
  const look = lookThroughProcess(root);
  const expected = new Map<string, ExpectedMount[]>();
  for (const one of expectedMounts(subject)) {
    const target = resolveInside(look, one.destination, true).path;
    expected.set(target, [...(expected.get(target) ?? []), one]);
  }
  const mounts: MountEntry[] = [];
  for (const info of parentsFirst(parseMountinfo(text)))
    mounts.push(toEntry(info, expected.get(info.target) ?? [], mounts));
  return { live: true, mounts, look };
}

/** A mount's number is older than its place: one that was made before may be attached below one that was made later. */
function parentsFirst(mounts: readonly MountInfo[]): MountInfo[] {
  const byId = mounts.toSorted((a, b) => a.id - b.id);
  const ids = new Set(mounts.map(({ id }) => id));
  const below = (parent: MountInfo): MountInfo[] => [
    parent,
    ...byId.filter((mount) => mount.parent === parent.id && mount.id !== parent.id).flatMap(below),
  ];
  return byId.filter(({ id, parent }) => id === parent || !ids.has(parent)).flatMap(below);
}

/** @param expected what is asked for at its target, used up one by one where mounts lie on one another */
function toEntry(info: MountInfo, expected: ExpectedMount[], before: readonly MountEntry[]): MountEntry {
  const { id, parent, target, type, source, options, superOptions, propagation } = info;
  const asked = takeExpected(info, expected) ?? inherited(info, before);
  return {
    ...{ id, parent, target, type, source, options, superOptions, propagation },
    ...{ role: asked.role, by: asked.by, hostPath: asked.hostPath, point: asked.point },
    layered: asked.layered ?? false,
  };
}

/** Of several on one place, the first; but a path that is only to be locked is a bind of what is there already. */
function takeExpected({ type, root }: MountInfo, expected: ExpectedMount[]): ExpectedMount | undefined {
  const fits = (one: ExpectedMount): boolean =>
    one.role !== 'device' || type === 'devtmpfs' || type === 'tmpfs' || root !== '/';
  const at = expected.findIndex(fits);
  return at < 0 ? undefined : expected.splice(at, 1)[0];
}

/** Nobody asked for just this one: it came with the mount that it is in, or later. */
function inherited(
  { parent, target, type }: MountInfo,
  before: readonly MountEntry[],
): Omit<ExpectedMount, 'destination'> {
  const above = before.find(({ id }) => id === parent);
  if (above === undefined || above.role === 'rootfs' || above.role === 'unknown') return UNKNOWN;
  const comesAlong = above.role === 'bind' || above.role === 'below' || type?.startsWith('cgroup');
  if (!comesAlong) return UNKNOWN;
  const hostPath = above.hostPath && joined(above.hostPath, relativeTo(target, above.target));
  return { role: 'below', by: above.by, ...(hostPath === undefined ? {} : { hostPath }) };
}

const UNKNOWN: Omit<ExpectedMount, 'destination'> = {
  role: 'unknown',
  by: 'no line of config.json (a flag, a hook, or the container itself)',
};

/** What will be mounted: masks and devices only where there is something to cover is left to the start. */
function plannedTree(subject: Subject): MountTree {
  const mounts: MountEntry[] = [];
  const look = lookAtRest(subject.layers, mounts);
  for (const one of expectedMounts(subject)) {
    if (one.role === 'device' || one.role === 'console') continue;
    const target = one.role === 'rootfs' ? '/' : resolveInside(look, one.destination, true).path;
    const parent = mounts.findLast((mount) => isWithin(target, mount.target));
    mounts.push(planned(one, target, mounts.length + 1, parent, subject));
  }
  return { live: false, mounts, look };
}

function planned(
  one: ExpectedMount,
  target: string,
  id: number,
  parent: MountEntry | undefined,
  { config, layers }: Subject,
): MountEntry {
  const { role, by, hostPath, point, mount } = one;
  const isOverlay = layers[0]?.role === 'upper';
  const rootOptions = config.root.readonly ? ['ro'] : ['rw'];
  return {
    ...{ id, parent: parent?.id ?? id, target, role, by, hostPath, point, layered: one.layered ?? false },
    type:
      role === 'rootfs'
        ? isOverlay
          ? 'overlay'
          : undefined
        : role === 'tmpfs'
          ? 'tmpfs'
          : filesystemOf(one),
    source:
      role === 'rootfs' ? (isOverlay ? 'overlay' : layers[0]!.path) : (mount?.source ?? hostPath ?? role),
    options:
      role === 'rootfs'
        ? rootOptions
        : (mount?.options ?? (point?.RW === false ? ['ro'] : lockedOptions(role))),
    superOptions: [],
    propagation: {},
  };
}

const filesystemOf = ({ role, mount }: ExpectedMount): string | undefined =>
  role === 'filesystem' ? mount?.type : undefined;

const lockedOptions = (role: MountRole): string[] =>
  role === 'mask' || role === 'readonly-path' ? ['ro'] : ['rw'];
