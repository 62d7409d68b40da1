// Where a container's cgroup will be, and what is there already: the one place that chooses between managers of cgroups.

import { type CgroupHierarchy, type CgroupPlace, cgroupPlaces } from '../cgroup/path.ts';
import { scopeName, scopePlaces } from '../cgroup/scope.ts';
import { TinyrunError } from '../errors.ts';
import type { CgroupInput } from '../plan/input.ts';
import type { GlobalOptions } from './options.ts';
import { readText, statPath } from './probe.ts';
import { probeControllers } from './probe-cgroups.ts';

/**
 * @param cgroupsPath of the config
 * @throws TinyrunError HOST where no cgroup can be made, CONFIG where the path is none or the cgroup there is frozen
 */
export function placeCgroup(
  manager: Exclude<GlobalOptions['cgroupManager'], 'disabled'>,
  cgroupsPath: string | undefined,
  id: string,
  hierarchies: readonly CgroupHierarchy[],
): CgroupInput & { occupied: boolean } {
  if (hierarchies.length === 0)
    throw new TinyrunError('HOST', 'make a cgroup: no cgroup filesystem is mounted', {
      hint: 'mount one on /sys/fs/cgroup, or go without limits: --cgroup-manager disabled',
    });
  const available = probeControllers(hierarchies);
  if (manager === 'systemd') return { ...planScope(cgroupsPath, id, hierarchies), available };
  const places = cgroupPlaces(cgroupsPath, id, hierarchies);
  // A cgroup named after an id is the container's own: ids are taken once.
  const given = cgroupsPath !== undefined && cgroupsPath !== '';
  return { places, available, ...(given ? lookAt(places) : { existing: false, occupied: false }) };
}

/** What systemd is going to make of it: it is asked when there is nothing left to plan (scope.ts). */
function planScope(
  cgroupsPath: string | undefined,
  id: string,
  hierarchies: readonly CgroupHierarchy[],
): Omit<CgroupInput, 'available'> & { occupied: boolean } {
  const name = scopeName(cgroupsPath, id);
  const places = scopePlaces(name, hierarchies);
  return { places, existing: false, occupied: false, scope: { unit: name.unit, holder: -1 } };
}

/** A cgroup that is there already: engines may have made it, with processes in it or not. */
function lookAt(places: readonly CgroupPlace[]): { existing: boolean; occupied: boolean } {
  const place = (controller: string): CgroupPlace =>
    places.find(({ controllers }) => controllers.split(',').includes(controller)) ?? places[0]!;
  const { path } = place('devices');
  if (typeof statPath(path) === 'number') return { existing: false, occupied: false };
  const freezer = place('freezer');
  const frozen =
    freezer.controllers === ''
      ? readText(`${freezer.path}/cgroup.freeze`, 64)
      : readText(`${freezer.path}/freezer.state`, 64);
  if (frozen === '1\n' || frozen === 'FROZEN\n' || frozen === 'FREEZING\n')
    throw new TinyrunError('CONFIG', "container's cgroup unexpectedly frozen", {
      hint: `thaw it first: ${freezer.path}`,
      data: { path: freezer.path },
    });
  const processes = readText(`${path}/cgroup.procs`, 1 << 20);
  return { existing: true, occupied: typeof processes === 'string' && processes !== '' };
}
