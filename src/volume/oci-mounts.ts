// VolumeMounts -> the OCI mounts that come after config.json's own, with Docker's defaults: a bind takes the mounts below
// it along and is rprivate, a tmpfs is noexec, nosuid, nodev. Parents come before children.

import { TinyrunError } from '../errors.ts';
import type { Mount } from '../oci/config.ts';
import type { FlagMount } from '../plan/input.ts';
import { isPropagation, type VolumeMount } from './mount.ts';

/**
 * The mounts of the command line without those that are given twice with the same text.
 * @param mounts in the order of the command line
 * @throws TinyrunError USAGE for a destination given twice
 */
export function distinctMounts(mounts: readonly VolumeMount[]): VolumeMount[] {
  const byDestination = new Map<string, VolumeMount>();
  for (const mount of mounts) {
    const before = byDestination.get(mount.destination);
    if (before !== undefined && before.flag !== mount.flag) {
      throw new TinyrunError('USAGE', `Duplicate mount point: ${mount.destination}`, {
        hint: `\`${before.flag}\` and \`${mount.flag}\` have the same destination: drop one`,
      });
    }
    byDestination.set(mount.destination, mount);
  }
  return [...byDestination.values()];
}

/** Sorts by the depth of the destination, otherwise as given. */
export function byDepth<T>(things: readonly T[], destination: (thing: T) => string): T[] {
  const depth = (thing: T) => destination(thing).split('/').length;
  return [...things].sort((a, b) => depth(a) - depth(b));
}

/** Whether a mount is known from its flag alone: no store has to be asked, and nothing prepared. */
export const isPlain = ({ type, chown, overlay }: VolumeMount): boolean =>
  (type === 'bind' || type === 'tmpfs') && chown === undefined && overlay === undefined;

/**
 * A mount for the planner, with its flag and its text as `from`.
 * @param source host path of what a bind, volume or image shows
 */
export function toFlagMount(mount: VolumeMount, source = mount.source ?? ''): FlagMount {
  const { destination, flag, type, idmap } = mount;
  const oci: Mount =
    type === 'tmpfs'
      ? { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(mount) }
      : { destination, type: 'bind', source, options: bindOptions(mount) };
  if (idmap !== undefined && idmap !== 'container') {
    oci.uidMappings = idmap.uids;
    oci.gidMappings = idmap.gids;
  }
  return { mount: oci, createSource: type === 'bind' && mount.createSource, from: flag };
}

function bindOptions(mount: VolumeMount): string[] {
  const alone = mount.recursive === 'disabled';
  // Since Docker 25 a read-only bind is read-only all the way down (mount_setattr(2), Linux 5.12).
  const readOnly = alone || mount.recursive === 'writable' ? 'ro' : 'rro';
  return [
    alone ? 'bind' : 'rbind',
    mount.propagation ?? 'rprivate',
    // No `rw` otherwise: it would make the bind of a read-only mount writable.
    ...(mount.readOnly || mount.type === 'image' ? [readOnly] : []),
    ...(mount.attributes ?? []),
    ...(mount.idmap === 'container' ? ['idmap'] : []),
  ];
}

/** Default -> what, if given, takes its place. */
const TMPFS_DEFAULTS: Readonly<Record<string, (option: string) => boolean>> = {
  noexec: (option) => option === 'exec' || option === 'noexec',
  nosuid: (option) => option === 'suid' || option === 'nosuid',
  nodev: (option) => option === 'dev' || option === 'nodev',
  rprivate: isPropagation,
};

// No mode among the defaults: a new tmpfs is 1777 by itself, tmpfs(5), and runtimes give it the mode of the directory
// that it covers, if there is one.
function tmpfsOptions(mount: VolumeMount): string[] {
  const given = mount.tmpfs?.options ?? [];
  const defaults = Object.keys(TMPFS_DEFAULTS).filter((name) => !given.some(TMPFS_DEFAULTS[name]!));
  const readOnly = mount.readOnly && !given.includes('ro') ? ['ro'] : [];
  return [...defaults, ...readOnly, ...given];
}
