// linux.cgroupsPath as systemd's manager takes it -> which unit holds the container, and where its cgroup is. The names are
// runc's, for engines look there: `slice:prefix:name` is scope `prefix-name.scope` in that slice. systemd.scope(5),
// systemd.slice(5); spec/cgroups.md.

import { TinyrunError } from '../errors.ts';
import type { CgroupHierarchy, CgroupPlace } from './path.ts';

export interface ScopeName {
  /** `runc-ID.scope` */
  unit: string;
  /** `system.slice` */
  slice: string;
}

const DEFAULT_SLICE = 'system.slice';
/** Of scopes whose config names none: what runc calls them, for tools look for it. */
const DEFAULT_PREFIX = 'runc';

const refuse = (what: string, why: string, hint: string): TinyrunError =>
  new TinyrunError('CONFIG', `/linux/cgroupsPath: ${JSON.stringify(what)} ${why}`, {
    hint,
    data: { pointer: '/linux/cgroupsPath' },
  });

/**
 * The scope of a container.
 * @throws TinyrunError CONFIG if the path is no `slice:prefix:name`
 */
export function scopeName(cgroupsPath: string | undefined, id: string): ScopeName {
  const path = cgroupsPath === undefined || cgroupsPath === '' ? `:${DEFAULT_PREFIX}:${id}` : cgroupsPath;
  const parts = path.split(':');
  if (parts.length !== 3 || path.includes('/'))
    throw refuse(
      path,
      'is no slice:prefix:name, as systemd takes it',
      'write it so, or go without --systemd-cgroup',
    );
  const [slice = '', prefix = '', name = ''] = parts;
  if (name === '' || name.endsWith('.slice'))
    throw refuse(path, 'names no container', 'its third part becomes the name of a scope');
  const unit = `${prefix === '' ? name : `${prefix}-${name}`}.scope`;
  if (!/^[\w:.\\@-]+$/.test(unit) || unit.length > 255)
    throw refuse(
      path,
      `makes ${unit}, which is no name of a unit`,
      'letters, digits and `:-_.\\@` are allowed, 255 at most',
    );
  const found = { unit, slice: slice === '' ? DEFAULT_SLICE : slice };
  expandSlice(found.slice); // throws where it is none
  return found;
}

/**
 * Where a slice is below systemd's own cgroup: each `-` of its name is a level, `a-b.slice` is `/a.slice/a-b.slice`.
 * @throws TinyrunError CONFIG where it is no slice's name
 */
export function expandSlice(slice: string): string {
  const name = slice.slice(0, -'.slice'.length);
  if (name === '-' && slice === '-.slice') return '';
  const levels = name.split('-');
  if (!slice.endsWith('.slice') || slice.includes('/') || levels.includes(''))
    throw refuse(slice, 'is no name of a slice', 'such a name is a.slice, or a-b.slice for one in it');
  return levels.map((_, i) => `/${levels.slice(0, i + 1).join('-')}.slice`).join('');
}

/**
 * Where systemd will put the scope, in each hierarchy. In a container it may be further down: systemd is asked.
 */
export const scopePlaces = (
  { unit, slice }: ScopeName,
  hierarchies: readonly CgroupHierarchy[],
): CgroupPlace[] =>
  hierarchies.map(({ controllers, mountPoint }) => ({
    controllers,
    mountPoint,
    path: `${mountPoint}${expandSlice(slice)}/${unit}`,
  }));
