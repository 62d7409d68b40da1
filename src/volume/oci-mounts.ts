// VolumeMounts of all flags -> the OCI mounts that come after config.json's own, with Docker's defaults: a bind takes
// the mounts below it along and is rprivate, a tmpfs is noexec, nosuid, nodev. Parents come before children.

import { TinyrunError } from '../errors.ts';
import type { Mount } from '../oci/config.ts';
import type { FlagMount } from '../plan/input.ts';
import { isPropagation, type VolumeMount } from './mount.ts';

/**
 * Turns the mounts of --volume, --mount and --tmpfs into OCI mounts, sorted by the depth of their destination.
 *
 * @param mounts in the order of the command line; a flag given twice with the same text counts once
 * @returns with the flag and its text as `from`
 * @throws TinyrunError USAGE for a destination given twice; UNSUPPORTED for volumes and images
 */
export function toOciMounts(mounts: readonly VolumeMount[]): FlagMount[] {
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
  const depth = (mount: VolumeMount) => mount.destination.split('/').length;
  return [...byDestination.values()]
    .sort((a, b) => depth(a) - depth(b))
    .map((mount) => ({ mount: ociMount(mount), createSource: mount.createSource, from: mount.flag }));
}

function ociMount(mount: VolumeMount): Mount {
  switch (mount.type) {
    case 'bind':
      return {
        destination: mount.destination,
        type: 'bind',
        source: mount.source!, // a bind has one: mount.ts
        options: bindOptions(mount),
      };
    case 'tmpfs':
      return { destination: mount.destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(mount) };
    case 'volume':
      throw new TinyrunError(
        'UNSUPPORTED',
        `mount ${mount.source === undefined ? 'an anonymous volume' : `volume ${mount.source}`} at ` +
          `${mount.destination}: this version of tinyrun has no volume store`,
        { hint: `for a bind, give an absolute host path: --volume /srv/data:${mount.destination}` },
      );
    case 'image':
      throw new TinyrunError(
        'UNSUPPORTED',
        `mount image ${mount.source} at ${mount.destination}: this version of tinyrun has no image store`,
        { hint: 'unpack the image and bind the directory: --volume /srv/image:' + mount.destination + ':ro' },
      );
  }
}

function bindOptions(mount: VolumeMount): string[] {
  const alone = mount.recursive === 'disabled';
  // Since Docker 25 a read-only bind is read-only all the way down (mount_setattr(2), Linux 5.12).
  const readOnly = alone || mount.recursive === 'writable' ? 'ro' : 'rro';
  return [
    alone ? 'bind' : 'rbind',
    mount.propagation ?? 'rprivate',
    // No `rw` otherwise: it would make the bind of a read-only mount writable.
    ...(mount.readOnly ? [readOnly] : []),
    ...(mount.attributes ?? []),
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
