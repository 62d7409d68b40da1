// A container's root filesystem as a mount of nobody else's, for work from outside (`cp`, `export`): put together from its layers
// and volumes in a mount namespace of this thread's own, which the host does not see and which goes with this process; or, while
// the container runs, from copies of its own mounts. Names below are then used by descriptor.
//
// An upper layer is for one overlay at a time: a container that does not run is locked by the caller meanwhile.

import {
  close,
  flag,
  fsconfig,
  fsmount,
  fsopen,
  mount,
  mountSetattr,
  moveMount,
  openTree,
  rawSyscall,
  setns,
  syscall,
  umount2,
  unshare,
} from '../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY } from '../disk/files.ts';
import { errno, must, S_IFDIR, S_IFREG, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { ContainerLayer } from '../image/container-layer.ts';
import type { FlagMount } from '../plan/input.ts';
import { type OverlayMount, overlayMount } from '../plan/overlay.ts';
import { openInside } from './locate.ts';

const PIN = flag('O_PATH', 'O_CLOEXEC');
const EMPTY_PATH = flag('AT_EMPTY_PATH');
const MOVE_FROM_FD = flag('MOVE_MOUNT_F_EMPTY_PATH');
const MOVE_TO_FD = flag('MOVE_MOUNT_T_EMPTY_PATH');

/**
 * Does something with the root of a container that does not run.
 * @param mounts its volumes and binds, parents before children; those of other kinds have nothing to be seen
 * @param kernel [major, minor]
 * @param readOnly nothing is to be written but to these
 * @throws SystemError, and what `use` throws
 */
export async function withLayers<T>(
  layer: ContainerLayer,
  mounts: readonly FlagMount[],
  kernel: readonly [number, number],
  readOnly: boolean,
  use: (root: number) => Promise<T>,
): Promise<T> {
  enterOwnNamespace();
  const { upper, work, merged, lowers } = layer;
  mountOverlay(overlayMount({ layers: lowers.toReversed(), upper, work, merged }, kernel, false), merged);
  const root = syscall(`open ${merged}`, 'openat', AT_FDCWD, merged, DIRECTORY, 0);
  try {
    for (const one of mounts) attach(root, one);
    if (readOnly) mountSetattr(root, '', EMPTY_PATH, READ_ONLY);
    return await use(root);
  } finally {
    close(root);
    umount2(merged, flag('MNT_DETACH'));
  }
}

function enterOwnNamespace(): void {
  unshare(flag('CLONE_NEWNS'));
  mount('none', '/', '', flag('MS_REC', 'MS_PRIVATE'));
}

/** fsconfig(2), mount(2). */
function mountOverlay(how: OverlayMount, merged: string): void {
  if (how.api === 'mount') {
    mount('overlay', merged, 'overlay', 0, how.data);
    return;
  }
  const context = fsopen('overlay', flag('FSOPEN_CLOEXEC'));
  try {
    for (const setting of how.settings) {
      if (setting.as === 'string')
        fsconfig(context, flag('FSCONFIG_SET_STRING'), setting.key, setting.value, 0);
      else if (setting.as === 'flag') fsconfig(context, flag('FSCONFIG_SET_FLAG'), setting.key, null, 0);
      else {
        const fd = syscall(`open ${setting.path}`, 'openat', AT_FDCWD, setting.path, PIN, 0);
        fsconfig(context, flag('FSCONFIG_SET_FD'), setting.key, null, fd);
        close(fd);
      }
    }
    fsconfig(context, flag('FSCONFIG_CMD_CREATE'), null, null, 0);
    const made = fsmount(context, flag('FSMOUNT_CLOEXEC'), 0);
    moveMount(made, '', AT_FDCWD, merged, MOVE_FROM_FD);
    close(made);
  } finally {
    close(context);
  }
}

/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd. */
const READ_ONLY = new Uint8Array(new BigUint64Array([BigInt(flag('MOUNT_ATTR_RDONLY')), 0n, 0n, 0n]).buffer);

/** Binds a volume or a directory of the host where the container has it. */
function attach(
  root: number,
  { mount: { source = '', destination, options = [] }, fd, overlay, kind }: FlagMount,
): void {
  const isBind = options.includes('bind') || options.includes('rbind');
  if (!isBind || overlay !== undefined || kind === 'missing') return;
  const clone = flag('OPEN_TREE_CLONE', 'AT_RECURSIVE', 'O_CLOEXEC');
  const tree = fd === undefined ? openTree(AT_FDCWD, source, clone) : openTree(fd, '', clone | EMPTY_PATH);
  try {
    if (options.includes('ro') || options.includes('rro'))
      mountSetattr(tree, '', EMPTY_PATH | flag('AT_RECURSIVE'), READ_ONLY);
    const target = mountPoint(root, destination, statInode(tree, destination).type);
    try {
      moveMount(tree, '', target, '', MOVE_FROM_FD | MOVE_TO_FD);
    } finally {
      close(target);
    }
  } finally {
    close(tree);
  }
}

/** Opens what is to be mounted on, made where it is missing, as the container would at its start. */
function mountPoint(root: number, path: string, type: number): number {
  const there = openInside(root, path, PIN);
  if (there !== undefined) return there;
  const slash = path.lastIndexOf('/');
  const [above, base] = [path.slice(0, slash) || '/', path.slice(slash + 1)];
  const parent = mountPoint(root, above, S_IFDIR);
  try {
    const made =
      type === S_IFDIR
        ? rawSyscall('mkdirat', parent, base, 0o755)
        : rawSyscall('mknodat', parent, base, S_IFREG | 0o644, 0);
    must(made, `make the mount point ${path}`);
    return must(rawSyscall('openat', parent, base, PIN | flag('O_NOFOLLOW'), 0), `open ${path}`);
  } finally {
    close(parent);
  }
}

/** A container that runs: descriptors of its root directory and its mount namespace. */
export interface RunningRoot {
  root: number;
  namespace: number;
}

/**
 * Does something with the root mount of a container that runs, and some of what is mounted below it. Nothing is made in it: a
 * mount whose place is on one that is left out is left out, too.
 * @param places absolute paths in the container; parents before children
 * @throws SystemError, and what `use` throws
 */
export async function withRunningMounts<T>(
  container: RunningRoot,
  places: readonly string[],
  use: (root: number) => Promise<T>,
): Promise<T> {
  enterOwnNamespace();
  const { root, parts } = copyMounts(container, places);
  try {
    // What can be mounted on is attached itself. Over `/` it is in nobody's way: names start at the root below.
    if (parts.length > 0) moveMount(root, '', AT_FDCWD, '/', MOVE_FROM_FD);
    for (const { tree, place } of parts) {
      const target = openInside(root, place, PIN);
      if (target === undefined) continue;
      moveMount(tree, '', target, '', MOVE_FROM_FD | MOVE_TO_FD);
      close(target);
    }
    return await use(root);
  } finally {
    for (const { tree } of parts) close(tree);
    close(root);
  }
}

interface Copies {
  root: number;
  parts: { place: string; tree: number }[];
}

/** Mounts are copied where they are: open_tree(2) wants the caller in their namespace. Nobody who is in it sees the copies. */
function copyMounts({ root, namespace }: RunningRoot, places: readonly string[]): Copies {
  const how = flag('O_RDONLY', 'O_CLOEXEC');
  const own = syscall(OWN, 'openat', AT_FDCWD, '/proc/thread-self/ns/mnt', how, 0);
  try {
    setns(namespace, flag('CLONE_NEWNS'));
    const parts = places.flatMap((place) => {
      const at = openInside(root, place, PIN);
      if (at === undefined) return [];
      const tree = copyMount(at, place, flag('AT_RECURSIVE'));
      close(at);
      return [{ place, tree }];
    });
    return { root: copyMount(root, '/', 0), parts };
  } finally {
    setns(own, flag('CLONE_NEWNS'));
    close(own);
  }
}

const OWN = 'open the own mount namespace';
/** struct mount_attr, as above: no mount in the copy is one in the container, nor the other way. */
const PRIVATE = new Uint8Array(new BigUint64Array([0n, 0n, BigInt(flag('MS_PRIVATE')), 0n]).buffer);

function copyMount(at: number, place: string, recursive: number): number {
  const how = flag('OPEN_TREE_CLONE', 'O_CLOEXEC') | EMPTY_PATH | recursive;
  const tree = rawSyscall('open_tree', at, '', how);
  if (tree === errno('EINVAL'))
    throw new TinyrunError('STATE', `copy the mount at ${place} of the container: EINVAL it is unbindable`, {
      hint: 'copy its files from inside: tinyrun exec CONTAINER tar -cf - PATH',
    });
  must(tree, `copy the mount at ${place} of the container`);
  mountSetattr(tree, '', EMPTY_PATH | recursive, PRIVATE);
  return tree;
}
