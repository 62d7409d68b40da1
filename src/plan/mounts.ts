// config.mounts and the mounts of -v, --mount and --tmpfs, as ops. OCI config.md, "Mounts".
//
// A bind is a detached copy of a mount (open_tree), a new filesystem is made by fsopen and fsmount; either is configured
// while it is attached nowhere, and then attached to a descriptor: nobody sees it half done, and the host never sees it.
//
// Init makes them, in their order, which mountinfo then shows: proc, mqueue and sysfs tell of the namespaces of who makes
// them. Some binds take the rights or the mounts of the host: the host program makes those, and init inherits them.

import type { MountOptions } from '../oci/mount-options.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { planAttach } from './attach.ts';
import { planCopyUp, wantsCopyUp, writable } from './copy-up.ts';
import type { PlanInput } from './input.ts';
import { mountContext } from './labels.ts';
import { planCgroupMount } from './mount-cgroup.ts';
import { bindSource, describeMount, isShared, type PlannedMount } from './mount-list.ts';
import { planCoveredMode } from './mount-mode.ts';
import { CLOSE } from './mount-point.ts';
import { hasUser, mountsOutside } from './namespaces.ts';
import type { Places } from './place.ts';

/** mount_setattr for the attributes and propagation of an existing (copied) mount. */
export function planAttributes(
  fd: { reg: string },
  options: MountOptions,
  words: (why: string) => Words,
): Op[] {
  const ops: Op[] = [];
  if (options.set.length + options.clear.length > 0) {
    ops.push(
      o.mountSetattr(fd, { set: options.set, clear: options.clear }, false, {
        ...words(
          'Set while it is attached nowhere: there is no moment in which it is writable or has devices.',
        ),
      }),
    );
  }
  if (options.recSet.length + options.recClear.length > 0) {
    ops.push(
      o.mountSetattr(fd, { set: options.recSet, clear: options.recClear }, true, {
        ...words('Options with an r hold for all mounts below as well (mount_setattr(2), Linux 5.12).'),
      }),
    );
  }
  for (const { type, recursive } of options.propagation) {
    ops.push(
      o.mountSetattr(fd, { propagation: `MS_${type.toUpperCase()}` }, recursive, {
        ...words('Whether mounts below it spread to the host, from the host, or not at all.'),
      }),
    );
  }
  return ops;
}

// The init program's part

/** Init program: makes new filesystems, and attaches everything in order; `places` learns of each. */
export function planMounts(mounts: readonly PlannedMount[], input: PlanInput, places: Places): Op[] {
  return mounts.flatMap((mount) => planMount(mount, input, places));
}

function planMount(planned: PlannedMount, input: PlanInput, places: Places): Op[] {
  const { mount, options } = planned;
  if (options.remount) return planRemount(planned, input);
  if (mount.type === 'cgroup' && options.bind === false) return planCgroupMount(planned, input, places);
  const words = (why: string): Words => ({
    what: describeMount(planned, input.bundle),
    why,
    from: planned.from,
  });
  const place = places.find(planned.target);
  const keep = places.mounted(planned);
  const register = keep ?? 'mount';
  const fill = wantsCopyUp(planned);
  const source =
    options.bind === false
      ? planNewFilesystem(
          fill ? writable(planned) : planned,
          register,
          words,
          mountContext(input, mount.type),
        )
      : planned.slot === undefined
        ? planOwnBind(planned, register, input, words)
        : planTakeBind(planned, input, words);
  return [
    ...source,
    ...(fill ? planCopyUp(planned, register, input) : planCoveredMode(planned, place, register)),
    ...planAttach(planned, place, register, input, words),
    ...(keep === undefined ? planCloseMount(planned, words) : []),
  ];
}

function planCloseMount({ target }: PlannedMount, words: (why: string) => Words): Op[] {
  return [o.close(o.reg('mount'), { ...words(CLOSE), what: `close the mount of /${target}` })];
}

/** Init's own copy of a mount: of its slave of the host's tree, which is still all that paths lead to. */
function planOwnBind(
  { mount, options }: PlannedMount,
  register: string,
  { bundle }: PlanInput,
  words: (why: string) => Words,
): Op[] {
  return [
    o.openTree(o.AT_FDCWD, bindSource(mount, bundle), options.bind === 'rbind', {
      ...words('A copy of the mount, attached nowhere: paths still lead to the tree of the host.'),
      to: register,
    }),
    ...planAttributes(o.reg(register), options, words),
  ];
}

/**
 * The copy that the host program made. Of a peer of the host's mount init makes a copy of its own, at its turn in the order;
 * for that the kernel wants it attached in init's namespace: on its own source, for a moment.
 */
function planTakeBind(
  { mount, options, slot, target }: PlannedMount,
  input: PlanInput,
  words: (why: string) => Words,
): Op[] {
  const take = (register: string): Op =>
    o.load(o.buf('binds', 4 * slot!), 4, register, {
      ...words('The copy that the host program made.'),
      what: `take the bind for /${target}`,
    });
  if (!isShared(options) || hasUser(input) || mountsOutside(input) || input.rootless !== undefined)
    return [take('mount')];
  const why =
    'A peer stays a peer when it is copied; mountinfo shows mounts in the order in which they were made.';
  return [
    take('peer'),
    o.call(
      'move_mount',
      [
        o.reg('peer'),
        '',
        o.AT_FDCWD,
        bindSource(mount, input.bundle),
        o.flags('MOVE_MOUNT_F_EMPTY_PATH', 'MOVE_MOUNT_T_SYMLINKS'),
      ],
      words(why),
    ),
    o.openTree(o.reg('peer'), '', options.bind === 'rbind', { ...words(why), to: 'mount' }),
    // Private, it is unmounted here alone: else what is mounted below would be unmounted on the host.
    o.mountSetattr(o.reg('peer'), { propagation: 'MS_PRIVATE' }, true, words(why)),
    o.call('umount2', [bindSource(mount, input.bundle), o.flags('MNT_DETACH')], words(why)),
    o.close(o.reg('peer'), words(why)),
  ];
}

/** fsopen, options, fsmount: the mount lands in a register, attached nowhere. */
export function planNewFilesystem(
  { mount, options }: PlannedMount,
  register: string,
  words: (why: string) => Words,
  context: string | undefined,
): Op[] {
  const fs = o.reg('fs');
  const type = mount.type ?? 'none';
  const option = (key: string, value: string | undefined): Op => {
    const extra = {
      ...words('The filesystem itself understands this option, or refuses it.'),
      what: `set ${type} option ${value === undefined ? key : `${key}=${value}`}`,
    };
    return value === undefined ? o.fsconfigFlag(fs, key, extra) : o.fsconfigString(fs, key, value, extra);
  };
  const data = options.data.map((text) => {
    const sign = text.indexOf('=');
    return sign < 0 ? option(text, undefined) : option(text.slice(0, sign), text.slice(sign + 1));
  });
  return [
    o.fsopen(type, {
      ...words('A filesystem of its own, made by the container: it shows the namespaces of its maker.'),
      to: 'fs',
    }),
    ...(mount.source ? [option('source', mount.source)] : []),
    // The kernel has no fsconfig flag for these two; they change nothing that a container could see.
    ...options.superblock
      .filter((flag) => flag !== 'silent' && flag !== 'iversion')
      .map((flag) => option(flag, undefined)),
    ...data,
    ...(context === undefined || options.data.some((text) => text.startsWith('context='))
      ? []
      : [
          o.fsconfigString(fs, 'context', context, {
            ...words('The label of all files in it, for SELinux.'),
            what: `label ${type} ${context}`,
            from: '/linux/mountLabel',
          }),
        ]),
    o.fsconfigCreate(fs, { ...words('Now the kernel makes the filesystem.') }),
    o.fsmount(fs, options.set, {
      ...words('A mount of it, attached nowhere yet, with its attributes from the start.'),
      to: register,
    }),
    o.close(fs, { ...words('It has served.'), what: 'close the configuration' }),
    ...planAttributes(o.reg(register), { ...options, set: [], clear: [] }, words),
  ];
}

/** `remount`: other attributes for what is already mounted there. */
function planRemount(planned: PlannedMount, input: PlanInput): Op[] {
  const words = (why: string): Words => ({
    what: describeMount(planned, input.bundle),
    why,
    from: planned.from,
  });
  return [
    o.openInRoot(o.reg('root'), planned.target, ['O_PATH'], {
      ...words('Nothing new is mounted: the mount that is there gets other attributes.'),
      to: 'target',
    }),
    ...planAttributes(o.reg('target'), planned.options, words),
    o.close(o.reg('target'), { ...words('It has served.'), what: `close /${planned.target}` }),
  ];
}
