// Which mounts a container gets, in their order: those of config.json, then those of -v, --mount and --tmpfs. Each with its
// options parsed, its place in the root, and who makes it: the host program or init. mounts.ts makes ops of them.

import { TinyrunError } from '../errors.ts';
import type { Mount } from '../oci/config.ts';
import { formatMountFlags, type MountOptions, parseMountOptions } from '../oci/mount-options.ts';
import { cleanInside } from './clean-inside.ts';
import type { FlagMount, OverlayMountInput, PlanInput } from './input.ts';
import { hasUser, mountsOutside } from './namespaces.ts';

/** One mount to be made, whoever asked for it. */
export interface PlannedMount {
  mount: Mount;
  /** Its number among all mounts, for labels. */
  index: number;
  options: MountOptions;
  /** Place in the table of binds that the host program makes; undefined: init makes the mount. */
  slot: number | undefined;
  /** Clean path inside the rootfs, without a leading slash. */
  target: string;
  from: string;
  createSource: boolean;
  fd: number | undefined;
  overlay: OverlayMountInput | undefined;
}

/** The host's directory or file that a bind shows: absolute. */
export function bindSource(mount: Mount, bundle: string): string {
  const source = mount.source ?? '';
  return source.startsWith('/') ? source : `${bundle}/${source}`;
}

/** A mount of a container that runs: the host program makes what is bound, and init has no part in it. */
export function planHotMount({ mount, from, createSource, fd, overlay }: FlagMount): PlannedMount {
  const options = parseMountOptions(mount.options ?? []);
  const slot = options.bind === false ? undefined : 0;
  const target = cleanInside(mount.destination);
  return { mount, from, createSource, fd, overlay, index: 0, options, slot, target };
}

/** config.mounts in their order, then those of the flags. */
export function listMounts(
  input: Pick<PlanInput, 'config' | 'configMounts' | 'flagMounts' | 'resolved' | 'rootfs' | 'rootless'>,
): PlannedMount[] {
  let slots = 0;
  let index = 0;
  const planned = ({ mount, from, createSource, fd, overlay }: FlagMount): PlannedMount => {
    const options = parseMountOptions(mount.options ?? []);
    const clean = cleanInside(mount.destination);
    const target = cleanInside(input.resolved.get(clean) ?? clean);
    if (target === '')
      throw new TinyrunError('CONFIG', `${from}: cannot mount on /: it is the rootfs itself`);
    const byHost = fd !== undefined || overlay !== undefined || isMadeByHost(mount, options, input);
    const slot = options.bind !== false && byHost ? slots++ : undefined;
    return { mount, index: index++, options, target, from, createSource, slot, fd, overlay };
  };
  return [...configMounts(input), ...input.flagMounts].map(planned);
}

/** Those of config.json, with their JSON pointers. */
export const configMounts = (input: Pick<PlanInput, 'config' | 'configMounts'>): readonly FlagMount[] =>
  input.configMounts ??
  (input.config.mounts ?? []).map((mount, i) => ({ mount, createSource: false, from: `/mounts/${i}` }));

/**
 * Binds that init cannot make: in a user namespace it may not reach the source, idmapped ones take rights over the
 * filesystem, and a shared one is a peer of the host's mount, of which init has a slave only; or, without a mount
 * namespace, the mount itself.
 */
const isMadeByHost = (
  mount: Mount,
  options: MountOptions,
  input: Pick<PlanInput, 'config' | 'rootless'>,
): boolean =>
  hasUser(input) ||
  mountsOutside(input) ||
  input.rootless !== undefined ||
  isShared(options) ||
  options.idmap !== false ||
  mount.uidMappings !== undefined;

export const isShared = ({ propagation }: MountOptions): boolean =>
  propagation.some(({ type }) => type === 'shared');

/** Words such as `mount proc on /proc (nosuid|nodev|noexec)`. */
export function describeMount({ mount, options, target }: PlannedMount, bundle: string): string {
  const flags = formatMountFlags(options);
  const what = options.bind === false ? (mount.type ?? mount.source ?? 'none') : bindSource(mount, bundle);
  return `mount ${what} on /${target}${flags === '' ? '' : ` (${flags})`}`;
}
