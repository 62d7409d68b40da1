// Whether the container's process may write a file, and if not, why: the mount, the root, the mode and owner against the
// user and capabilities of the process. Pure.

import type { Config, IdMapping } from '../oci/config.ts';
import { hasUserNamespace } from './expected-mounts.ts';
import type { Seen } from './look.ts';
import type { MountEntry } from './mount-tree.ts';

export interface Writable {
  /** undefined: nobody can tell before the container has started. */
  writable: boolean | undefined;
  /** Why not; of what is writable, none. */
  reasons: string[];
}

/**
 * Tells whether the process of a config may change a file, or make one in a directory.
 * @param seen the file, or the directory that it would be made in; undefined: it is yet to be made
 * @param shown their path, for words
 * @param mount the one that it is in
 */
export function writableBy(
  config: Config,
  seen: Seen | undefined,
  shown: string,
  mount: MountEntry,
): Writable {
  const reasons = mountReasons(config, mount);
  if (seen === undefined) return { writable: reasons.length > 0 ? false : undefined, reasons };
  reasons.push(...attributeReasons(seen, shown));
  // A symlink has no mode that would count, and of a mask no mode matters.
  if (seen.link === undefined && mount.role !== 'mask') reasons.push(...modeReasons(config, seen, shown));
  return { writable: reasons.length === 0, reasons };
}

function mountReasons(config: Config, mount: MountEntry): string[] {
  const { role, by, target, options, superOptions } = mount;
  if (role === 'mask') return [`masked: ${by}`];
  if (role === 'readonly-path') return [`${target} is mounted on itself read-only: ${by}`];
  const isReadOnly = options.includes('ro');
  if (role === 'rootfs' && (isReadOnly || config.root.readonly))
    return [
      config.root.readonly
        ? 'the root is read-only: config.json /root/readonly'
        : 'the root is mounted read-only',
    ];
  if (isReadOnly) return [`the mount on ${target} is read-only (ro): ${by}`];
  if (superOptions.includes('ro')) return [`the filesystem mounted on ${target} is read-only: ${by}`];
  return [];
}

function attributeReasons({ immutable, appendOnly }: Seen, shown: string): string[] {
  if (immutable) return [`${shown} is immutable (chattr +i)`];
  return appendOnly ? [`${shown} can only grow (chattr +a)`] : [];
}

const S_IWOTH = 0o2; // <linux/stat.h>: of the owner and the group further left

function modeReasons(config: Config, seen: Seen, shown: string): string[] {
  const user = config.process.user ?? {};
  const isMapped = hasUserNamespace(config);
  const { uidMappings = [], gidMappings = [] } = config.linux ?? {};
  // What is looked at through a running container, or on the host's disk, has the host's ids.
  const toHost = (id: number, mappings: readonly IdMapping[]): number | undefined =>
    isMapped ? mapped(id, mappings) : id;
  const uid = toHost(user.uid ?? 0, uidMappings);
  const gids = [user.gid ?? 0, ...(user.additionalGids ?? [])].map((gid) => toHost(gid, gidMappings));
  const capable = config.process.capabilities?.effective?.includes('CAP_DAC_OVERRIDE') ?? false;
  const owned = !isMapped || (isInside(seen.uid, uidMappings) && isInside(seen.gid, gidMappings));
  if (capable && owned) return [];
  const shift = uid === seen.uid ? 6 : gids.includes(seen.gid) ? 3 : 0;
  if ((seen.mode >> shift) & S_IWOTH) return [];
  const who = shift === 6 ? 'its owner' : shift === 3 ? 'in its group' : 'neither its owner nor in its group';
  const ids = `${seen.uid}:${seen.gid}${isMapped ? ' on the host' : ''}`;
  const why = capable ? 'the user namespace does not have these ids' : 'the process has no CAP_DAC_OVERRIDE';
  return [
    `mode ${seen.mode.toString(8).padStart(4, '0')}, owner ${ids} of ${shown}: ` +
      `user ${user.uid ?? 0}:${user.gid ?? 0} is ${who}, and may not write; ${why}`,
  ];
}

const mapped = (id: number, mappings: readonly IdMapping[]): number | undefined => {
  const range = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range && range.hostID + id - range.containerID;
};

const isInside = (id: number, mappings: readonly IdMapping[]): boolean =>
  mappings.some(({ hostID, size }) => id >= hostID && id < hostID + size);
