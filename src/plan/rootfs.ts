// The root filesystem as a detached mount, made by the host program before any namespace exists, so that it needs no
// path in the container's mount namespace and no right there. The init program attaches and pivots to it.
// OCI config.md, "Root"; overlayfs: Documentation/filesystems/overlayfs.rst.

import { MOUNTED } from '../oci/state.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { hasHooks } from './hook-points.ts';
import { INIT_LAYER } from './init-layer.ts';
import type { OverlayInput, PlanInput } from './input.ts';
import { mountContext } from './labels.ts';
import { planTarget } from './mount-point.ts';
import { hasNew, mountsOutside } from './namespaces.ts';
import { type OverlayMount, type OverlaySetting, overlayMount } from './overlay.ts';
import type { Places } from './place.ts';
import { idInside } from './rootless.ts';
import { createFile, makeDirectories, planWriteWhole, rootfsPath } from './state.ts';
import { runtime } from './words.ts';

/** Register of the rootfs' descriptor: the detached mount, and the root directory once it is attached. */
export const ROOT = o.reg('root');

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

/** The directory of a container's own files; register `data`. */
function planDataDirectory(input: PlanInput, overlay: OverlayInput): Op[] {
  const { id } = input;
  const [uid, gid] = [idInside(input, 'uid', overlay.rootUid), idInside(input, 'gid', overlay.rootGid)];
  const why = "The container's own layer and files live here; nothing of them is in the layers below.";
  const at = `${overlay.dataRoot}/containers`;
  return [
    ...makeDirectories(at, 0o711, why),
    o.mkdirat(o.AT_FDCWD, `${at}/${id}`, 0o700, runtime(`make directory ${at}/${id}`, why)),
    o.openat(o.AT_FDCWD, `${at}/${id}`, ['O_PATH', 'O_DIRECTORY'], {
      ...runtime(`open directory ${at}/${id}`, why),
      to: 'data',
    }),
    o.mkdirat(o.reg('data'), 'upper', overlay.rootMode, runtime('make the upper directory', why)),
    ...(uid === 0 && gid === 0
      ? []
      : [
          o.fchownat(o.reg('data'), 'upper', uid, gid, ['AT_SYMLINK_NOFOLLOW'], {
            ...runtime('give the upper directory its owner', 'The merged root takes mode and owner from it.'),
          }),
        ]),
    o.mkdirat(o.reg('data'), 'work', 0o700, {
      ...runtime('make the work directory', 'overlayfs prepares files here before they appear in upper.'),
    }),
    ...Object.entries(overlay.files).flatMap(([name, text]) => planOwnFile(name, text)),
  ];
}

function planOwnFile(name: string, text: string): Op[] {
  const words = (what: string) =>
    runtime(
      what,
      "The container's own file, bound over the init layer's: what it writes there is in no layer.",
    );
  const bytes = new TextEncoder().encode(text);
  return [
    o.openat(
      o.reg('data'),
      name,
      ['O_WRONLY', 'O_CREAT', 'O_EXCL'],
      { ...words(`create ${name}`), to: 'file' },
      0o644,
    ),
    ...planWriteWhole(name, { bytes }, bytes.length, words),
    o.close(o.reg('file'), words(`close ${name}`)),
    o.openTree(o.reg('data'), name, false, { ...words(`bind ${name}`), to: 'bind' }),
    o.mountSetattr(
      o.reg('bind'),
      { propagation: 'MS_PRIVATE' },
      false,
      words(`make the bind of ${name} private`),
    ),
    o.store('bind', o.buf('own', 4 * OWN_FILES.indexOf(name)), 4, words(`keep the bind of ${name}`)),
  ];
}

/** The init layer is empty files and directories, so all containers share one. */
function planInitLayer(dataRoot: string): Op[] {
  const why = 'Mount points come from here: neither the image nor the upper layer gets one.';
  const at = `${dataRoot}/init-layer`;
  const layer = o.reg('initlayer');
  return [
    ...makeDirectories(at, 0o755, why),
    o.openat(o.AT_FDCWD, at, ['O_PATH', 'O_DIRECTORY'], {
      ...runtime('open the init layer', why),
      to: 'initlayer',
    }),
    ...INIT_LAYER.map((entry) => {
      const extra = {
        ...runtime(`make ${entry.path} in the init layer`, why),
        onError: { ignore: ['EEXIST'] },
      };
      const name = entry.path.slice(1);
      if (entry.type === 'directory') return o.mkdirat(layer, name, entry.mode, extra);
      if (entry.type === 'link') return o.symlinkat(entry.target, layer, name, extra);
      return o.mknodat(layer, name, 'S_IFREG', entry.mode, 0, extra);
    }),
    o.close(layer, runtime('close the init layer', why)),
  ];
}

const OVERLAY = 'One merged view: reads come from the topmost layer that has the file, writes go to upper.';

/** An overlay: the container's own upper, over the init layer, over the image's layers. */
function planOverlay(input: PlanInput, overlay: OverlayInput): Op[] {
  const mount = chooseOverlay(input, overlay);
  const data = [...planInitLayer(overlay.dataRoot), ...planDataDirectory(input, overlay)];
  if (mount.api === 'mount') {
    const merged = o.mkdirat(o.reg('data'), 'merged', 0o755, runtime('make the merged directory', OVERLAY));
    return [...data, merged];
  }
  return [
    ...data,
    o.fsopen('overlay', { ...runtime('open an overlay', OVERLAY), to: 'fs' }),
    ...mount.settings.flatMap(planSetting),
    o.fsconfigCreate(o.reg('fs'), runtime(`create the overlay of ${overlay.layers.length} layers`, OVERLAY)),
    o.fsmount(o.reg('fs'), [], { ...runtime('make a mount of it, attached nowhere', OVERLAY), to: 'root' }),
    o.close(o.reg('fs'), runtime('close the configuration', OVERLAY)),
  ];
}

function chooseOverlay(
  { id, host, config, rootless }: PlanInput,
  { dataRoot, layers }: OverlayInput,
): OverlayMount {
  const data = `${dataRoot}/containers/${id}`;
  const rootfs = {
    layers: [...layers, `${dataRoot}/init-layer`],
    upper: `${data}/upper`,
    work: `${data}/work`,
    merged: `${data}/merged`,
  };
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

/** Init program: binds the container's own hosts, hostname and resolv.conf over the init layer's empty files. */
export function planOwnFiles({ rootfs }: PlanInput, places: Places): Op[] {
  if (rootfs.kind !== 'overlay') return [];
  return Object.keys(rootfs.files).flatMap((name) => {
    const words = (what: string): Words =>
      runtime(
        what,
        "The container's own file: what it writes there is in neither the image nor the upper layer.",
      );
    const path = `etc/${name}`;
    const target = planTarget(places.find(path), path, 'file', `own-${name}`, 'runtime');
    return [
      ...target.ops,
      o.load(o.buf('own', 4 * OWN_FILES.indexOf(name)), 4, 'mount', words(`take the bind of ${name}`)),
      o.moveMount(o.reg('mount'), target.dir, words(`mount ${name} on /etc/${name}`), target.path),
      o.close(o.reg('mount'), words(`close the mount of ${name}`)),
      ...target.close,
    ];
  });
}

const OWN_FILES = ['hosts', 'hostname', 'resolv.conf'];
export const rootfsBuffers = [{ name: 'own', size: 4 * OWN_FILES.length }];

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
    return [MAKE_SLAVES, ...planOldOverlay(mount.data, `${rootfs.dataRoot}/containers/${input.id}/merged`)];
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
