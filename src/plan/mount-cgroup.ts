// A mount of type `cgroup`. On a unified host it is cgroup2 itself. On a host with v1 hierarchies it is a tmpfs with a
// directory for each hierarchy, as the host's /sys/fs/cgroup: a view of the container's own cgroup namespace where it
// has one, else a bind of the caller's own cgroup (so that nothing above it is seen). OCI config.md, "Mounts".

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { CgroupHierarchy, PlanInput } from './input.ts';
import { planTarget } from './mount-point.ts';
import type { PlannedMount } from './mounts.ts';
import { hasNew } from './namespaces.ts';
import type { Places } from './place.ts';

const isCgroup = ({ mount, options }: PlannedMount): boolean =>
  mount.type === 'cgroup' && options.bind === false;
/** The v1 hierarchies; where there are none, the host is unified. */
const legacy = (input: PlanInput): CgroupHierarchy[] =>
  input.cgroups.filter(({ controllers }) => controllers !== '');
const bindsCgroups = (mounts: readonly PlannedMount[], input: PlanInput): boolean =>
  mounts.some(isCgroup) && !hasNew(input, 'cgroup') && legacy(input).length > 0;

/** The buffer for the detached binds of hierarchies. */
export function cgroupBuffers(
  mounts: readonly PlannedMount[],
  input: PlanInput,
): { name: string; size: number }[] {
  return bindsCgroups(mounts, input) ? [{ name: 'cgroups', size: 4 * legacy(input).length }] : [];
}

/** Host program: detached binds of the caller's cgroup in each hierarchy. */
export function planCgroupSources(mounts: readonly PlannedMount[], input: PlanInput): Op[] {
  if (!bindsCgroups(mounts, input)) return [];
  const from = mounts.find(isCgroup)!.from;
  return legacy(input).flatMap(({ mountPoint, path }, i) => {
    const source = path === '/' ? mountPoint : `${mountPoint}${path}`;
    const words: Words = {
      what: `bind cgroup ${source}`,
      why: 'Without a cgroup namespace the container sees its own part of each hierarchy.',
      from,
    };
    return [
      o.openTree(o.AT_FDCWD, source, true, { ...words, to: 'bind' }),
      o.mountSetattr(o.reg('bind'), { propagation: 'MS_SLAVE' }, true, words),
      o.store('bind', o.buf('cgroups', 4 * i), 4, { ...words, what: `keep the bind of ${source}` }),
    ];
  });
}

/** Init program: the whole mount. */
export function planCgroupMount(planned: PlannedMount, input: PlanInput, places: Places): Op[] {
  const { target, options, from, index } = planned;
  const place = planTarget(places.find(target), target, 'directory', `mount-${index}`, from);
  places.mounted(planned);
  const hierarchies = legacy(input);
  const unified = hierarchies.length === 0;
  const words = (what: string): Words => ({
    what,
    why: 'The container sees its own cgroups, and no others.',
    from,
  });
  const readonly = options.set.includes('MOUNT_ATTR_RDONLY');
  // The tmpfs is made read-only at the end: directories are made in it first.
  const attributes = unified ? options.set : options.set.filter((name) => name !== 'MOUNT_ATTR_RDONLY');
  return [
    o.fsopen(unified ? 'cgroup2' : 'tmpfs', {
      ...words(`open ${unified ? 'cgroup2' : 'a tmpfs'} for /${target}`),
      to: 'fs',
    }),
    ...(unified
      ? []
      : [
          o.fsconfigString(o.reg('fs'), 'source', 'tmpfs', words('call it tmpfs')),
          o.fsconfigString(o.reg('fs'), 'mode', '755', words('set its mode to 755')),
        ]),
    o.fsconfigCreate(o.reg('fs'), words('create it')),
    o.fsmount(o.reg('fs'), attributes, { ...words('make a mount of it'), to: 'mount' }),
    o.close(o.reg('fs'), words('close the configuration')),
    ...place.ops,
    o.moveMount(o.reg('mount'), place.dir, words(`mount cgroup on /${target}`), place.path),
    ...place.close,
    ...hierarchies.flatMap((hierarchy, i) => planHierarchy(hierarchy, i, attributes, readonly, input, words)),
    ...(readonly && !unified
      ? [
          o.mountSetattr(
            o.reg('mount'),
            { set: ['MOUNT_ATTR_RDONLY'] },
            false,
            words(`make /${target} read-only`),
          ),
        ]
      : []),
    o.close(o.reg('mount'), words('close the mount')),
  ];
}

function planHierarchy(
  { controllers, mountPoint }: CgroupHierarchy,
  index: number,
  attributes: readonly string[],
  readonly: boolean,
  input: PlanInput,
  words: (what: string) => Words,
): Op[] {
  const name = mountPoint.slice(mountPoint.lastIndexOf('/') + 1);
  const set = readonly ? [...attributes, 'MOUNT_ATTR_RDONLY'] : attributes;
  const view: Op[] = hasNew(input, 'cgroup')
    ? [
        o.fsopen('cgroup', { ...words(`open cgroup hierarchy ${controllers}`), to: 'fs' }),
        ...controllers
          .split(',')
          .map((controller) =>
            controller.startsWith('name=')
              ? o.fsconfigString(o.reg('fs'), 'name', controller.slice(5), words(`set ${controller}`))
              : o.fsconfigFlag(o.reg('fs'), controller, words(`set controller ${controller}`)),
          ),
        ...(controllers.startsWith('name=')
          ? [o.fsconfigFlag(o.reg('fs'), 'none', words('set no controller'))]
          : []),
        o.fsconfigCreate(o.reg('fs'), words('create it')),
        o.fsmount(o.reg('fs'), set, { ...words('make a mount of it'), to: 'hierarchy' }),
        o.close(o.reg('fs'), words('close the configuration')),
      ]
    : [
        o.load(o.buf('cgroups', 4 * index), 4, 'hierarchy', words(`take the bind of ${name}`)),
        o.mountSetattr(o.reg('hierarchy'), { set }, true, words(`set its attributes`)),
      ];
  return [
    ...view,
    o.mkdirat(o.reg('mount'), name, 0o755, words(`make directory ${name}`)),
    o.openat(o.reg('mount'), name, ['O_PATH', 'O_DIRECTORY'], {
      ...words(`open directory ${name}`),
      to: 'dir',
    }),
    o.moveMount(o.reg('hierarchy'), o.reg('dir'), words(`mount cgroup hierarchy ${name}`)),
    o.close(o.reg('hierarchy'), words('close the mount')),
    o.close(o.reg('dir'), words(`close directory ${name}`)),
    ...(name.includes(',')
      ? name
          .split(',')
          .map((part) => o.symlinkat(name, o.reg('mount'), part, words(`link ${part} to ${name}`)))
      : []),
  ];
}
