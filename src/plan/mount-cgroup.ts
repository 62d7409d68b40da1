// A mount of type `cgroup`. On a unified host it is cgroup2 itself. On a host with v1 hierarchies it is a tmpfs with a
// directory for each hierarchy, as the host's /sys/fs/cgroup: a view of the container's own cgroup namespace where it
// has one, else a bind of the container's cgroup, or of the caller's where it has none of its own (so that nothing above it
// is seen). OCI config.md, "Mounts".

import type { CgroupHierarchy } from '../cgroup/path.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { cleanInside } from './clean-inside.ts';
import type { PlanInput } from './input.ts';
import type { PlannedMount } from './mount-list.ts';
import { planTarget } from './mount-point.ts';
import { hasNew } from './namespaces.ts';
import type { Places } from './place.ts';

type CgroupFacts = Pick<PlanInput, 'config' | 'cgroups' | 'cgroup'>;

const isCgroup = ({ mount, options }: PlannedMount): boolean =>
  mount.type === 'cgroup' && options.bind === false;
/** The v1 hierarchies; where there are none, the host is unified. */
const legacy = (input: CgroupFacts): CgroupHierarchy[] =>
  input.cgroups.filter(({ controllers }) => controllers !== '');
/** What is mounted: the v1 hierarchies, or else the unified one. */
const shown = (input: CgroupFacts): readonly CgroupHierarchy[] =>
  legacy(input).length > 0 ? legacy(input) : input.cgroups.slice(0, 1);
const bindsCgroups = (mounts: readonly PlannedMount[], input: PlanInput): boolean =>
  mounts.some(isCgroup) && !hasNew(input, 'cgroup');

/** The container's cgroup in a hierarchy; without one of its own it is the caller's. */
function placeIn({ controllers, mountPoint, path }: CgroupHierarchy, { cgroup }: CgroupFacts): string {
  const own = cgroup?.places.find((place) => place.controllers === controllers);
  return own?.path ?? (path === '/' ? mountPoint : `${mountPoint}${path}`);
}

/** The binds of hierarchies, for who makes the container's mounts in our place: where they are, and what is bound there. */
export function listCgroupBinds(input: CgroupFacts): { inside: string; outside: string }[] {
  const mounts = (input.config.mounts ?? []).filter(({ type }) => type === 'cgroup');
  if (hasNew(input, 'cgroup')) return [];
  const nested = legacy(input).length > 0;
  return mounts.flatMap(({ destination }) =>
    shown(input).map((hierarchy) => ({
      inside: `/${cleanInside(destination)}${nested ? hierarchy.mountPoint.slice(hierarchy.mountPoint.lastIndexOf('/')) : ''}`,
      outside: placeIn(hierarchy, input),
    })),
  );
}

/** The buffer for the detached binds of hierarchies. */
export function cgroupBuffers(
  mounts: readonly PlannedMount[],
  input: PlanInput,
): { name: string; size: number }[] {
  return bindsCgroups(mounts, input) ? [{ name: 'cgroups', size: 4 * shown(input).length }] : [];
}

/** Host program, behind the making of the cgroup: detached binds of it in each hierarchy. */
export function planCgroupSources(mounts: readonly PlannedMount[], input: PlanInput): Op[] {
  if (!bindsCgroups(mounts, input)) return [];
  const from = mounts.find(isCgroup)!.from;
  return shown(input).flatMap((hierarchy, i) => {
    const source = placeIn(hierarchy, input);
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
    ...planTop(unified, attributes, target, input, words),
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

/** The mount itself, in register `mount`: cgroup2, or the tmpfs for the hierarchies. */
function planTop(
  unified: boolean,
  attributes: readonly string[],
  target: string,
  input: PlanInput,
  words: (what: string) => Words,
): Op[] {
  if (unified && !hasNew(input, 'cgroup') && shown(input).length > 0)
    return [
      o.load(o.buf('cgroups'), 4, 'mount', words('take the bind of the cgroup')),
      o.mountSetattr(o.reg('mount'), { set: attributes }, true, words('set its attributes')),
    ];
  return [
    o.fsopen(unified ? 'cgroup2' : 'tmpfs', {
      ...words(`open ${unified ? 'cgroup2' : 'a tmpfs'} for /${target}`),
      to: 'fs',
    }),
    ...(unified
      ? [o.fsconfigString(o.reg('fs'), 'source', 'cgroup', words('call it cgroup'))]
      : [
          o.fsconfigString(o.reg('fs'), 'source', 'tmpfs', words('call it tmpfs')),
          o.fsconfigString(o.reg('fs'), 'mode', '755', words('set its mode to 755')),
        ]),
    o.fsconfigCreate(o.reg('fs'), words('create it')),
    o.fsmount(o.reg('fs'), attributes, { ...words('make a mount of it'), to: 'mount' }),
    o.close(o.reg('fs'), words('close the configuration')),
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
  const source = controllers.startsWith('name=') ? controllers.slice(5) : 'cgroup';
  const view: Op[] = hasNew(input, 'cgroup')
    ? [
        o.fsopen('cgroup', { ...words(`open cgroup hierarchy ${controllers}`), to: 'fs' }),
        o.fsconfigString(o.reg('fs'), 'source', source, words(`call it ${source}`)),
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
