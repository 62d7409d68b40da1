// What a container's config, flags and the runtime ask to be mounted, in the order of the plan: so each mount of a tree can
// be told who asked for it. Pure.

import type { Config, Mount } from '../oci/config.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import type { MountPoint } from '../volume/uses.ts';
import type { Subject } from './subject.ts';

/** What a mount is for. */
export type MountRole =
  | 'rootfs'
  | 'bind'
  | 'volume'
  | 'tmpfs'
  | 'image'
  | 'filesystem' // another type than tmpfs: proc, sysfs, ...
  | 'own-file'
  | 'device'
  | 'console'
  | 'mask'
  | 'readonly-path'
  | 'below' // came with a recursive bind, or with the mount above
  | 'unknown'; // made in the container, by a hook, or attached later

export interface ExpectedMount {
  role: MountRole;
  /** As it is asked for: symlinks may be on the way. */
  destination: string;
  /** `config.json /mounts/3`, `--volume`, `the runtime`. */
  by: string;
  /** Directory or file of the host that is shown there. */
  hostPath?: string;
  /** As the config has it. */
  mount?: Mount;
  /** What is known of a volume or another mount by a flag. */
  point?: MountPoint;
}

const OWN_FILES = ['hostname', 'hosts', 'resolv.conf'];
const RUNTIME = 'the runtime';

/** All that is asked for, the root first. */
export function expectedMounts(subject: Subject): ExpectedMount[] {
  const { config, dataDirectory } = subject;
  const overlay = subject.layers[0]?.role === 'upper';
  const own = overlay && dataDirectory !== undefined ? OWN_FILES : [];
  return [
    { role: 'rootfs', destination: '/', by: rootAsker(subject) },
    ...configMounts(subject),
    ...(config.linux?.devices ?? []).map(
      ({ path }, i): ExpectedMount => ({
        role: 'device',
        destination: path,
        by: `config.json /linux/devices/${i}`,
      }),
    ),
    ...DEVICES.map((destination): ExpectedMount => ({ role: 'device', destination, by: RUNTIME })),
    ...own.map(
      (name): ExpectedMount => ({
        ...{ role: 'own-file', destination: `/etc/${name}`, by: RUNTIME },
        hostPath: `${dataDirectory}/${name}`,
      }),
    ),
    ...(config.process.terminal
      ? [{ role: 'console', destination: '/dev/console', by: 'config.json /process/terminal' } as const]
      : []),
    ...(config.linux?.maskedPaths ?? []).map(
      (destination, i): ExpectedMount => ({
        role: 'mask',
        destination,
        by: `config.json /linux/maskedPaths/${i}`,
      }),
    ),
    ...(config.linux?.readonlyPaths ?? []).map(
      (destination, i): ExpectedMount => ({
        ...{ role: 'readonly-path', destination, by: `config.json /linux/readonlyPaths/${i}` },
      }),
    ),
  ];
}

/** In a user namespace the host's are bound. */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`);

function rootAsker({ layers }: Subject): string {
  const image = layers.find((layer) => layer.image !== undefined)?.image;
  return image === undefined ? 'config.json /root' : `image ${image}`;
}

/** Those of config.mounts, then those of flags. A volume that the config names is in both. */
function configMounts({ config, bundle, mounts }: Subject): ExpectedMount[] {
  const points = new Map(mounts.map(({ point }) => [point.Destination, point]));
  const fromConfig = (config.mounts ?? []).map((mount, i): ExpectedMount => {
    const point = mount.type === 'volume' ? points.get(mount.destination) : undefined;
    if (point !== undefined) points.delete(mount.destination);
    const by = `config.json /mounts/${i}`;
    return point === undefined ? { ...toExpected(mount, bundle), by } : toExpectedPoint(point, by);
  });
  const fromFlags = mounts.filter(({ point }) => points.has(point.Destination));
  return [...fromConfig, ...fromFlags.map(({ point, by }) => toExpectedPoint(point, by))];
}

function toExpectedPoint(point: MountPoint, by: string): ExpectedMount {
  const { Type, Source, Destination } = point;
  const hostPath = Source.startsWith('/') ? { hostPath: Source } : {};
  return { role: Type, destination: Destination, by, point, ...hostPath };
}

function toExpected(mount: Mount, bundle: string): Omit<ExpectedMount, 'by'> {
  const { destination, type, source = '' } = mount;
  if (parseMountOptions(mount.options ?? []).bind !== false)
    return {
      ...{ role: 'bind', destination, mount },
      hostPath: source.startsWith('/') ? source : `${bundle}/${source}`,
    };
  if (type === 'volume') return { role: 'volume', destination, mount };
  return { role: type === 'tmpfs' ? 'tmpfs' : 'filesystem', destination, mount };
}

/** Whether a container has a user namespace of its own: ids in it are others than the host's. */
export const hasUserNamespace = ({ linux }: Config): boolean =>
  linux?.namespaces?.some(({ type }) => type === 'user') ?? false;
