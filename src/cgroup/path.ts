// Where a container's cgroup is: linux.cgroupsPath -> a directory in each hierarchy. OCI config-linux.md, "Cgroups Path";
// spec/cgroups.md. The answers are runc's, for engines look there.
//
//   /a/b                absolute: from where the hierarchy is mounted
//   a/b                 relative: below the caller's own cgroup; on a unified host beside it, for only a cgroup without
//                       processes of its own may hand controllers on
//   absent              relative, and named after the container's id
//   slice:prefix:name   for systemd

import { TinyrunError } from '../errors.ts';

/** A v1 hierarchy or the unified one, as the host has it mounted. */
export interface CgroupHierarchy {
  /** `cpu,cpuacct`, `name=systemd`, or empty for the unified hierarchy. */
  controllers: string;
  mountPoint: string;
  /** The caller's own cgroup in it, seen from the mount point. */
  path: string;
}

/** A container's cgroup in one hierarchy; state.json keeps `controllers` and `path`. */
export interface CgroupPlace {
  controllers: string;
  /** Absolute, on the host: `/sys/fs/cgroup/memory/foo`. */
  path: string;
  mountPoint: string;
}

/** Whether all controllers are in the unified hierarchy. */
export const isUnified = (hierarchies: readonly Pick<CgroupHierarchy, 'controllers'>[]): boolean =>
  hierarchies.length > 0 && hierarchies.every(({ controllers }) => controllers === '');

/**
 * The container's directory in each hierarchy, in their order.
 * @throws TinyrunError CONFIG if the path leads elsewhere, or is one for systemd
 */
export function cgroupPlaces(
  cgroupsPath: string | undefined,
  id: string,
  hierarchies: readonly CgroupHierarchy[],
): CgroupPlace[] {
  const given = cgroupsPath === undefined || cgroupsPath === '' ? id : cgroupsPath;
  const parts = cleanParts(given);
  const beside = isUnified(hierarchies);
  return hierarchies.map(({ controllers, mountPoint, path }) => {
    const own = path.split('/').filter((part) => part !== '');
    if (beside) own.pop();
    const inside = given.startsWith('/') ? parts : [...own, ...parts];
    return { controllers, mountPoint, path: [mountPoint, ...inside].join('/') };
  });
}

/** The parts of cgroupsPath; at least one, none of them `..`. */
function cleanParts(path: string): string[] {
  const refuse = (why: string, hint?: string): never => {
    throw new TinyrunError('CONFIG', `/linux/cgroupsPath: ${JSON.stringify(path)} ${why}`, {
      data: { pointer: '/linux/cgroupsPath' },
      hint,
    });
  };
  if (/^[^/:]*:[^/:]*:[^/:]*$/.test(path))
    refuse('is a slice:prefix:name for systemd', 'use --systemd-cgroup, or a path');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) refuse('has a `..` in it: a cgroup is named from the top down');
  if (parts.length === 0) refuse("is the hierarchy's top: a container has a cgroup of its own");
  if (/[\n\0]/.test(path)) refuse('has a character that the name of a cgroup cannot have');
  if (parts.some((part) => part.length > 255)) refuse('has a name of more than 255 characters');
  return parts;
}

/** The directories between the mount point and a cgroup, uppermost first, without both. */
export function ancestors({ mountPoint, path }: Pick<CgroupPlace, 'mountPoint' | 'path'>): string[] {
  const found: string[] = [];
  for (let slash = path.indexOf('/', mountPoint.length + 1); slash >= 0; slash = path.indexOf('/', slash + 1))
    found.push(path.slice(0, slash));
  return found;
}
