// What a container's config, flags and the runtime ask to be mounted, in the order of the plan: so each mount of a tree can
// be told who asked for it. Pure.

import type { Config, Mount } from '../oci/config.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import type { MountPoint, Use } from '../volume/uses.ts';
import { joined } from './mountinfo.ts';
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
  /** Writes go to a layer over it (option O of -v). */
  layered?: true;
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
    { role: 'rootfs', destination: '/', by: rootAsker(subject), ...(overlay ? {} : rootPath(subject)) },
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

/** Of a root that is no overlay. */
const rootPath = ({ layers }: Subject): Pick<ExpectedMount, 'hostPath'> =>
  layers[0] === undefined ? {} : { hostPath: layers[0].path };

/** Those of config.mounts, then those of flags. A volume that the config names is in both. */
function configMounts({ config, bundle, mounts }: Subject): ExpectedMount[] {
  const uses = new Map(mounts.map((use) => [use.point.Destination, use]));
  const fromConfig = (config.mounts ?? []).map((mount, i): ExpectedMount => {
    const use = mount.type === 'volume' ? uses.get(mount.destination) : undefined;
    if (use !== undefined) uses.delete(mount.destination);
    const by = `config.json /mounts/${i}`;
    return use === undefined ? { ...toExpected(mount, bundle), by } : { ...expectedOf(use), by };
  });
  return [...fromConfig, ...[...uses.values()].map(expectedOf)];
}

/** Of a volume it may be a part that is mounted; of one with a layer over it, the host has only what is below. */
function expectedOf({ point, request }: Use): ExpectedMount {
  const { Type, Source, Destination } = point;
  const subpath = request.volume?.subpath;
  const hostPath = subpath === undefined ? Source : joined(Source, cleanInside(subpath));
  return {
    ...{ role: Type, destination: Destination, by: request.flag, point },
    ...(Source.startsWith('/') ? { hostPath } : {}),
    ...(request.overlay === undefined ? {} : { layered: true }),
  };
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
