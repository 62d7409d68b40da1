// `volume detach`. What is to be taken away is found by its destination, resolved in the container's own mount namespace, and
// known by what it shows: a container that has moved directories, or put a symlink on the way, has nothing else taken away.

import { close, flag, rawOpenat2, rawSyscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readLink } from '../disk/files.ts';
import { pathOf, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import { type MountRoot, planHotDetach } from '../plan/hot-mount.ts';
import { dropUse } from '../volume/release.ts';
import { changeUse, readUses, type Use } from '../volume/uses.ts';
import {
  type HotContainer,
  type HotOptions,
  runStaged,
  stage,
  withHotRoot,
  withMounts,
} from './hot-stage.ts';
import type { GlobalOptions } from './options.ts';

/**
 * Takes a mount away from a container: one that it has by a flag, or by attachMount.
 * @param lazily also if it is in use there
 * @returns exit code
 * @throws TinyrunError
 */
export async function detachMount(
  global: GlobalOptions,
  options: HotOptions,
  target: string,
  lazily: boolean,
): Promise<number> {
  const { id } = options;
  const destination = `/${cleanInside(target)}`;
  return await withMounts(global, options, async (hot) => {
    const mounts = readUses(global.dataRoot, id)?.mounts ?? [];
    const use = mounts.find(({ point }) => point.Destination === destination);
    if (use === undefined)
      throw new TinyrunError('NOT_FOUND', `container ${id} has no volume at ${destination}`, {
        hint:
          mounts.length === 0
            ? 'it has none at all'
            : `it has some at ${mounts.map(({ point }) => point.Destination).join(', ')}`,
      });
    return await takeAway(global, options, hot, use, lazily);
  });
}

/**
 * Takes one mount away, if it is there; what was left half attached need not be.
 * @returns exit code
 * @throws TinyrunError STATE where it should be there and is not
 */
export async function takeAway(
  global: GlobalOptions,
  options: HotOptions,
  hot: HotContainer,
  use: Use,
  lazily: boolean,
): Promise<number> {
  const { dataRoot } = global;
  const { id } = options;
  const { Destination } = use.point;
  const others = (readUses(dataRoot, id)?.mounts ?? []).filter(
    ({ point }) => point.Destination !== Destination,
  );
  let found: Found | undefined;
  const looked = await withHotRoot(global, options, hot, false, (root) => {
    found = findMount(root, use, others);
  });
  if (looked !== 0) return looked;
  if (found !== undefined) {
    changeUse(dataRoot, id, Destination, (one) => ({ ...one, changing: true }));
    const staging = stage(global, options, hot);
    const input = { ...staging.input, sources: new Map() };
    const program = planHotDetach(input, found.path, rootOf(found.identity), lazily);
    const code = await runStaged(global, options, program, staging);
    if (code !== 0) changeUse(dataRoot, id, Destination, () => use);
    if (code !== 0) return code;
  } else if (!use.changing)
    throw new TinyrunError('STATE', `unmount ${Destination} in container ${id}: it is not mounted there`, {
      hint: 'the container has unmounted it, or has moved what it was mounted on',
      data: { id },
    });
  await dropUse(dataRoot, id, Destination, { removeAnonymous: false });
  return 0;
}

/** A mount as it is found in a container. */
interface Found {
  /** In the mount namespace; no part of it is a symlink. */
  path: string;
  /** Of what it shows. */
  identity: string;
}

/**
 * Looks for a mount at its destination, and whether it is that one: by what was attached, or by the source of what a flag has
 * mounted. The source of a bind may be another file by now (editors replace it), and what is in memory or made of layers has
 * none: these have to be where no symlink leads, and to show nothing that another one does.
 */
function findMount(root: number, use: Use, others: readonly Use[]): Found | undefined {
  const found = lookAt(root, use, 0);
  const shown = shownBy(use);
  if (found === undefined || found.identity === shown) return found;
  const mayDiffer = use.root === undefined && (shown === undefined || use.point.Type === 'bind');
  if (!mayDiffer || lookAt(root, use, flag('RESOLVE_NO_SYMLINKS')) === undefined) return undefined;
  return others.some((other) => shownBy(other) === found.identity) ? undefined : found;
}

/** Identity of what a mount shows; undefined where nobody knows. */
const shownBy = (use: Use): string | undefined => use.root ?? sourceOf(use);

const STATX_ATTR_MOUNT_ROOT = 0x2000; // <linux/stat.h>

function lookAt(root: number, { point }: Use, resolve: number): Found | undefined {
  const how = resolve | flag('RESOLVE_IN_ROOT', 'RESOLVE_NO_MAGICLINKS');
  const fd = rawOpenat2(root, point.Destination, flag('O_PATH', 'O_CLOEXEC'), how);
  if (fd < 0) return undefined;
  try {
    const path = readLink(AT_FDCWD, pathOf(fd));
    if (path === undefined || !isMountRoot(fd)) return undefined;
    return { path, identity: statInode(fd, path).identity };
  } finally {
    close(fd);
  }
}

function isMountRoot(fd: number): boolean {
  const statx = new Uint8Array(256);
  const how = flag('AT_EMPTY_PATH');
  if (rawSyscall('statx', fd, '', how, flag('STATX_BASIC_STATS'), statx) !== 0) return false;
  return (new DataView(statx.buffer).getUint32(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0; // stx_attributes
}

/** What a bind or a volume shows, if it is still where it was; undefined: it is made of layers, or in memory. */
function sourceOf({ point, request }: Use): string | undefined {
  if (!['bind', 'volume'].includes(point.Type) || request.overlay !== undefined) return undefined;
  const { subpath } = request.volume ?? {};
  const path = subpath === undefined ? point.Source : `${point.Source}/${subpath}`;
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_PATH', 'O_CLOEXEC'), 0);
  if (fd < 0) return undefined;
  try {
    return statInode(fd, path).identity;
  } finally {
    close(fd);
  }
}

/** `MAJOR:MINOR:HIGH.LOW` as numbers. */
function rootOf(identity: string): MountRoot {
  const [major = 0, minor = 0, inodeHigh = 0, inodeLow = 0] = identity.split(/[:.]/).map(Number);
  return { major, minor, inodeHigh, inodeLow };
}
