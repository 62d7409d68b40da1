// The root filesystem as a detached mount, made by the host program before any namespace exists, so that it needs no
// path in the container's mount namespace and no right there. The init program attaches and pivots to it.
// OCI config.md, "Root"; overlayfs: Documentation/filesystems/overlayfs.rst.

import { MOUNTED } from '../oci/state.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { hasHooks } from './hook-points.ts';
import type { OverlayInput, PlanInput } from './input.ts';
import { mountContext } from './labels.ts';
import { ROOT } from './mount-point.ts';
import { hasNew, mountsOutside } from './namespaces.ts';
import { type OverlayMount, type OverlaySetting, overlayMount } from './overlay.ts';
import { overlayRootfs, planMerged, planOwnLayer } from './own-layer.ts';
import { createFile, rootfsPath } from './state.ts';
import { runtime } from './words.ts';

/** Host program: the root mount into register `root`, not attached anywhere. */
export function planRootTree(input: PlanInput): Op[] {
  const { rootfs } = input;
  if (mountsOutside(input)) return planOutside(rootfsPath(input));
  if (!hasNew(input, 'mount')) return planBareDirectory(rootfsPath(input));
  const tree = rootfs.kind === 'directory' ? planBound(rootfs.path) : planOverlay(input, rootfs);
  if (rootfs.kind === 'overlay' && chooseOverlay(input, rootfs).api === 'mount') return tree;
  return [
    ...tree,
    o.mountSetattr(ROOT, { propagation: 'MS_SLAVE' }, true, {
      ...runtime(
        'make the rootfs a slave of the host',
        'A clone of a shared mount would show the host every mount made in it.',
      ),
    }),
  ];
}

/** Without a mount namespace mounts are the caller's: all are made below one, which is taken away in the end. */
function planOutside(path: string): Op[] {
  const why =
    'There is no mount namespace: what the container mounts, its caller sees, until all goes with this one.';
  const words = (what: string): Words => ({ what, why, from: '/root/path' });
  return [
    ...planBound(path),
    o.mountSetattr(ROOT, { propagation: 'MS_PRIVATE' }, true, words(`make the copy of ${path} private`)),
    o.call(
      'move_mount',
      [ROOT, '', o.AT_FDCWD, path, o.flags('MOVE_MOUNT_F_EMPTY_PATH', 'MOVE_MOUNT_T_SYMLINKS')],
      words(`mount ${path} on itself`),
    ),
    o.set('outside', 1, words('remember to unmount it')),
    createFile(MOUNTED, why),
    o.close(o.reg('file'), words(`close ${MOUNTED}`)),
  ];
}

/** Host program, at the end: takes away what planOutside has mounted, with all below it. */
export function planUnmountOutside(input: PlanInput): Op[] {
  if (!mountsOutside(input)) return [];
  const path = rootfsPath(input);
  const why = 'The mounts of the container go with it.';
  const words = (what: string): Words => ({ what, why, from: '/root/path' });
  return [
    o.branch('outside', '!=', 1, 'unmounted', words('is it mounted?')),
    o.call('umount2', [path, o.flags('MNT_DETACH')], {
      ...words(`unmount ${path}`),
      onError: { ignore: ['EINVAL'], fail: 'unmounted' }, // somebody has done it
    }),
    o.label('unmounted'),
  ];
}

/** Without a mount namespace and without mounts, the container is only chrooted into the directory. */
function planBareDirectory(path: string): Op[] {
  return [
    o.openat(o.AT_FDCWD, path, ['O_PATH', 'O_DIRECTORY'], {
      what: `open rootfs ${path}`,
      why: "Without a mount namespace of its own the container gets no mounts: they would be the host's.",
      from: '/root/path',
      to: 'root',
    }),
  ];
}

function planBound(path: string): Op[] {
  return [
    o.openTree(o.AT_FDCWD, path, true, {
      what: `bind rootfs ${path}`,
      why: 'pivot_root wants a mount: a copy of the one that the rootfs is on, with all that is mounted below it.',
      from: '/root/path',
      to: 'root',
    }),
  ];
}

const OVERLAY = 'One merged view: reads come from the topmost layer that has the file, writes go to upper.';

/** An overlay: the container's own upper, over the init layer, over the image's layers. */
function planOverlay(input: PlanInput, overlay: OverlayInput): Op[] {
  const mount = chooseOverlay(input, overlay);
  const data = planOwnLayer(input, overlay);
  if (mount.api === 'mount') return [...data, ...planMerged(overlay.own, OVERLAY)];
  return [
    ...data,
    o.fsopen('overlay', { ...runtime('open an overlay', OVERLAY), to: 'fs' }),
    ...mount.settings.flatMap(planSetting),
    o.fsconfigCreate(o.reg('fs'), runtime(`create the overlay of ${overlay.layers.length} layers`, OVERLAY)),
    o.fsmount(o.reg('fs'), [], { ...runtime('make a mount of it, attached nowhere', OVERLAY), to: 'root' }),
    o.close(o.reg('fs'), runtime('close the configuration', OVERLAY)),
  ];
}

function chooseOverlay(input: PlanInput, overlay: OverlayInput): OverlayMount {
  const { host, config, rootless } = input;
  const rootfs = overlayRootfs(input, overlay);
  // The host program mounts it: inside of the container's user namespace only if it has entered that itself.
  const mount = overlayMount(rootfs, host.kernel, rootless !== undefined);
  const context = mountContext({ config }, 'overlay');
  if (context === undefined) return mount;
  if (mount.api === 'mount') return { ...mount, data: `${mount.data},context="${context}"` };
  return { ...mount, settings: [...mount.settings, { as: 'string', key: 'context', value: context }] };
}

function planSetting(setting: OverlaySetting): Op[] {
  const fs = o.reg('fs');
  const words = (what: string): Words => ({
    what,
    why: OVERLAY,
    from: setting.key === 'lowerdir+' ? '/root/path' : 'runtime',
  });
  if (setting.as === 'flag') return [o.fsconfigFlag(fs, setting.key, words(`set overlay ${setting.key}`))];
  if (setting.as === 'string')
    return [
      o.fsconfigString(fs, setting.key, setting.value, words(`set overlay ${setting.key}=${setting.value}`)),
    ];
  return [
    o.openat(o.AT_FDCWD, setting.path, ['O_PATH', 'O_DIRECTORY'], {
      ...words(`open ${setting.path}`),
      to: 'layer',
    }),
    o.call(
      'fsconfig',
      [fs, o.flags('FSCONFIG_SET_FD'), setting.key, 0, o.reg('layer')],
      words(`set overlay ${setting.key}=${setting.path}`),
    ),
    o.close(o.reg('layer'), words(`close ${setting.path}`)),
  ];
}

/** First of all in a new mount namespace. */
export const MAKE_SLAVES: Op = o.call(
  'mount_setattr',
  [
    o.AT_FDCWD,
    '/',
    o.flags('AT_RECURSIVE'),
    { struct: 'mount_attr', fields: { propagation: o.flags('MS_SLAVE') } },
    32,
  ],
  runtime('make all mounts slaves', 'From here on no mount or unmount of ours reaches the host.'),
);

/** Init program: attach the root mount, so that it can become the root. */
export function planAttachRoot(input: PlanInput): Op[] {
  if (mountsOutside(input)) return []; // the host program has done it
  const why =
    'pivot_root wants a mount that is attached in our namespace; on top of / it hides nothing that matters.';
  const { rootfs } = input;
  const mount = rootfs.kind === 'overlay' ? chooseOverlay(input, rootfs) : undefined;
  if (rootfs.kind === 'overlay' && mount?.api === 'mount')
    return [MAKE_SLAVES, ...planOldOverlay(mount.data, overlayRootfs(input, rootfs).merged)];
  const attach = (path: string, how: o.Flags = [], extra: Partial<o.Extra> = {}): Op =>
    o.call('move_mount', [ROOT, '', o.AT_FDCWD, path, o.flags('MOVE_MOUNT_F_EMPTY_PATH', ...how)], {
      ...runtime('attach the rootfs', why),
      from: '/root/path',
      ...extra,
    });
  if (!hasHooks(input, 'prestart', 'createRuntime', 'createContainer')) return [MAKE_SLAVES, attach('/')];
  const found = 'Hooks look for it, and mount in it, where config.json has it.';
  return [
    MAKE_SLAVES,
    attach(rootfs.kind === 'directory' ? rootfs.path : rootfs.layers.at(-1)!, ['MOVE_MOUNT_T_SYMLINKS'], {
      why: found,
      onError: { goto: { EACCES: 'attach-on-top' } }, // root of a user namespace may have no way there
    }),
    o.jump('attached', runtime('it is where hooks look for it', found)),
    o.label('attach-on-top'),
    attach('/'),
    o.label('attached'),
  ];
}

/** Before Linux 6.8 many layers fit into mount(2) only, which attaches at once: so it is done in here. */
function planOldOverlay(data: string, merged: string): Op[] {
  return [
    o.call(
      'mount',
      ['overlay', merged, 'overlay', 0, data],
      runtime(`mount the overlay on ${merged}`, OVERLAY),
    ),
    o.openat(o.AT_FDCWD, merged, ['O_PATH', 'O_DIRECTORY'], {
      ...runtime(`open ${merged}`, OVERLAY),
      to: 'root',
    }),
  ];
}

/** Init program: the rootfs becomes `/`, and the host's tree is gone from this namespace. */
export function planPivot(noPivot: boolean): Op[] {
  const enter = o.call(
    'fchdir',
    [ROOT],
    runtime('enter the rootfs', 'Both calls below work on the current directory.'),
  );
  const home = o.call(
    'chdir',
    ['/'],
    runtime('go to the new /', 'The working directory is inside the rootfs for certain.'),
  );
  if (noPivot) {
    return [
      enter,
      o.call('chroot', ['.'], {
        what: 'make the rootfs the root directory',
        why: 'Where pivot_root cannot work (a root on ramfs), only this is left: the old root stays mounted, unreachable by path.',
        from: '--no-pivot',
      }),
      home,
    ];
  }
  return [
    enter,
    o.call('pivot_root', ['.', '.'], {
      ...runtime(
        'make the rootfs the root mount',
        'Unlike chroot it changes the namespace: the old root can then be unmounted. "." twice stacks the old root over the new one (pivot_root(2)).',
      ),
      from: '/root/path',
    }),
    o.call('umount2', ['.', o.flags('MNT_DETACH')], {
      ...runtime('detach the old root', 'Nothing of the host can be reached any more, by whatever trick.'),
    }),
    home,
  ];
}

/** Init program, near the end: read-only root and its propagation. */
export function planFinishRoot({ config }: PlanInput): Op[] {
  const ops: Op[] = [];
  if (config.root.readonly) {
    ops.push(
      o.mountSetattr(ROOT, { set: ['MOUNT_ATTR_RDONLY'] }, false, {
        what: 'make / read-only',
        why: 'Only now: until here mount points were made in it.',
        from: '/root/readonly',
      }),
    );
  }
  const propagation = config.linux?.rootfsPropagation;
  if (propagation !== undefined && propagation !== '') ops.push(...planPropagation(propagation));
  return ops;
}

function planPropagation(value: string): Op[] {
  const recursive = value.startsWith('r');
  const type = (recursive ? value.slice(1) : value).toUpperCase();
  const words = (what: string, why: string): Words => ({ what, why, from: '/linux/rootfsPropagation' });
  const set = (propagation: string, why: string): Op =>
    o.mountSetattr(ROOT, { propagation }, recursive, words(`make / ${value}`, why));
  // Shared: a peer group of its own. As a slave of the host it would stay one, and also be shared: both is possible.
  return [set(`MS_${type}`, 'Whether mounts in the container spread to other namespaces, and theirs to it.')];
}
