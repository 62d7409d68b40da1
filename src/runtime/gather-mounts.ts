// What a plan must know of the mounts: which there are, what is at their sources, and what at their destinations.

import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { Config, Mount } from '../oci/config.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import type { HostFacts } from '../plan/host.ts';
import { INIT_LAYER } from '../plan/init-layer.ts';
import type { FlagMount, PlanInput, SourceKind } from '../plan/input.ts';
import { bindSource, configMounts } from '../plan/mount-list.ts';
import { isKernelFilesystem } from '../plan/place.ts';
import { errnos } from '../sys/errno.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { refused, statPath } from './probe.ts';
import { existsInRoot, openRoot, resolveDangling } from './probe-rootfs.ts';
import type { GatheredMounts } from './volumes.ts';

/**
 * Finds what the flags, the config's volumes and other containers' mounts ask for.
 * @param look nothing is changed
 */
export async function gatherMounts(
  global: GlobalOptions,
  options: RunOptions,
  config: Config,
  host: HostFacts,
  roots: readonly string[],
  look: boolean,
): Promise<GatheredMounts> {
  const { volumes, mounts, tmpfs, volumesFrom, container, form } = options;
  if (container !== undefined) return { flagMounts: [...container.mounts] };
  const at = config.mounts?.findIndex(({ type }) => type === 'volume') ?? -1;
  if (at >= 0 && form === 'runc')
    throw new TinyrunError(
      'CONFIG',
      `/mounts/${at}: a volume is for \`tinyrun run BUNDLE\`, not for engines`,
      {
        hint: 'write --volume, or bind a directory',
      },
    );
  if (at < 0 && volumes.length + mounts.length + tmpfs.length + volumesFrom.length === 0)
    return { flagMounts: [] };
  const { gatherVolumes } = await import('./volumes.ts');
  return gatherVolumes(global, options, config, host, roots, look);
}

/** What is at the source of each bind; a missing one is an error unless it is to be made. */
export async function gatherSources(
  config: Config,
  gathered: Pick<PlanInput, 'configMounts' | 'flagMounts'>,
  bundle: string,
  roots: readonly string[],
): Promise<Map<string, SourceKind>> {
  const sources = new Map<string, SourceKind>();
  const add = ({ mount, createSource, from, kind }: FlagMount): void => {
    const { bind, remount } = parseMountOptions(mount.options ?? []);
    if (bind === false || remount) return;
    const path = bindSource(mount, bundle);
    const stat = kind === undefined ? statPath(path) : { kind };
    if (typeof stat !== 'number') sources.set(path, stat.kind);
    else if (createSource && stat === -errnos['ENOENT']!) sources.set(path, 'missing');
    else if (from.startsWith('--mount') && stat === -errnos['ENOENT']!)
      throw new TinyrunError(
        'USAGE',
        `invalid mount config for type "bind": bind source path does not exist: ${path}`,
      );
    else throw refused('CONFIG', `${from}: bind source ${path}`, -stat);
  };
  for (const mount of configMounts({ config, ...gathered })) add(mount);
  for (const path of config.linux?.maskedPaths ?? []) {
    if (!path.startsWith('/proc/') && !path.startsWith('/sys/')) continue;
    const stat = statPath(path);
    sources.set(path, typeof stat === 'number' ? 'missing' : stat.kind);
  }
  for (const mount of gathered.flagMounts) add(mount);
  const [root] = roots;
  if (gathered.flagMounts.length > 0 && roots.length === 1 && root !== undefined) {
    const { assertKinds } = await import('./mount-kinds.ts');
    const inRootfs = destinationsInRootfs({ config, ...gathered });
    assertKinds(
      gathered.flagMounts,
      sources,
      root,
      new Set(inRootfs.map(({ destination }) => `/${destination}`)),
    );
  }
  return sources;
}

/**
 * The mount destinations that can be looked for in the rootfs, clean: not those below another mount, which are there only
 * when that is.
 */
export function destinationsInRootfs(
  input: Pick<PlanInput, 'config' | 'configMounts' | 'flagMounts'>,
): Mount[] {
  const before: string[] = [];
  const found: Mount[] = [];
  const look = (mount: Mount): void => {
    const destination = cleanInside(mount.destination);
    if (destination !== '' && !before.some((path) => destination.startsWith(`${path}/`)))
      found.push({ ...mount, destination });
    before.push(destination);
  };
  for (const { mount } of configMounts(input)) look(mount);
  for (const { mount } of input.flagMounts) look(mount);
  return found;
}

/** Which mount destinations are in the rootfs, and which lead through a dangling symlink. */
export function gatherDestinations(
  config: Config,
  gathered: Pick<PlanInput, 'configMounts' | 'flagMounts'>,
  roots: readonly string[],
  overlay: boolean,
): Pick<PlanInput, 'present' | 'resolved'> {
  const resolved = new Map<string, string>();
  const present = new Set<string>();
  const directories = roots.map(openRoot);
  // What the init layer has is no symlink, whatever the layers below it say.
  const layer = INIT_LAYER.filter(({ type }) => type !== 'link');
  const plain = new Set(overlay ? layer.map(({ path }) => path.slice(1)) : []);
  // In an overlay a whiteout may hide what a lower layer has, but never a directory of the layer on top.
  const own = new Set(layer.flatMap(({ path, type }) => (type === 'directory' ? [path.slice(1)] : [])));
  for (const { destination, type } of destinationsInRootfs({ config, ...gathered })) {
    if (overlay ? own.has(destination) : directories.some((dir) => existsInRoot(dir, destination, true))) {
      present.add(destination);
    } else if (
      !isKernelFilesystem(type) &&
      !directories.some((dir) => existsInRoot(dir, destination, false))
    ) {
      // proc and sysfs go onto ordinary directories only: their mount point is never looked for behind a link.
      const target = resolveDangling(roots, destination, plain);
      if (target !== undefined) resolved.set(destination, target);
    }
  }
  for (const dir of directories) close(dir);
  return { present, resolved };
}
