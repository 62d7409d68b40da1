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

/** Of -v, only one option leaves a missing source to its error. */
const hintFor = (from: string, errno: number): string | undefined =>
  from.startsWith('--volume') && errno === errnos['ENOENT']
    ? 'make it first, or leave out nocreate'
    : undefined;

/**
 * What is at the source of each bind.
 * @param bundle absolute; what relative sources start from
 * @throws TinyrunError where one is missing, unless it is to be made
 */
export function sourcesOf(mounts: readonly FlagMount[], bundle: string): Map<string, SourceKind> {
  const sources = new Map<string, SourceKind>();
  for (const { mount, createSource, from, kind } of mounts) {
    const { bind, remount } = parseMountOptions(mount.options ?? []);
    if (bind === false || remount) continue;
    const path = bindSource(mount, bundle);
    const stat = kind === undefined ? statPath(path) : { kind };
    if (typeof stat !== 'number') sources.set(path, stat.kind);
    else if (createSource && stat === -errnos['ENOENT']!) sources.set(path, 'missing');
    else if (from.startsWith('--mount') && stat === -errnos['ENOENT']!)
      throw new TinyrunError(
        'USAGE',
        `invalid mount config for type "bind": bind source path does not exist: ${path}`,
        { hint: `make it first, or add bind-create-src; it is in ${from}` },
      );
    else throw refused('CONFIG', `${from}: bind source ${path}`, -stat, {}, hintFor(from, -stat));
  }
  return sources;
}

/**
 * The same for all mounts of a plan, and for masked paths.
 * @param roots directories of the root, topmost first
 */
export async function gatherSources(
  config: Config,
  gathered: Pick<PlanInput, 'configMounts' | 'flagMounts'>,
  bundle: string,
  roots: readonly string[],
): Promise<Map<string, SourceKind>> {
  const own = configMounts({ config, ...gathered });
  const sources = sourcesOf([...own, ...gathered.flagMounts], bundle);
  for (const path of config.linux?.maskedPaths ?? []) {
    if (!path.startsWith('/proc/') && !path.startsWith('/sys/')) continue;
    const stat = statPath(path);
    sources.set(path, typeof stat === 'number' ? 'missing' : stat.kind);
  }
  if (gathered.flagMounts.length > 0) {
    const { assertKinds } = await import('./mount-kinds.ts');
    await assertKinds(gathered.flagMounts, sources, roots, allMounts({ config, ...gathered }));
  }
  return sources;
}

/** The mounts of config.json, then those of the flags. */
export const allMounts = (input: Pick<PlanInput, 'config' | 'configMounts' | 'flagMounts'>): Mount[] =>
  [...configMounts(input), ...input.flagMounts].map(({ mount }) => mount);

/**
 * The mount destinations that can be looked for in the rootfs, clean: not those below another mount, which are there only
 * when that is.
 */
export function destinationsInRootfs(mounts: readonly Mount[]): Mount[] {
  const before: string[] = [];
  const found: Mount[] = [];
  for (const mount of mounts) {
    const destination = cleanInside(mount.destination);
    if (destination !== '' && !before.some((path) => destination.startsWith(`${path}/`)))
      found.push({ ...mount, destination });
    before.push(destination);
  }
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
  for (const { destination, type } of destinationsInRootfs(allMounts({ config, ...gathered }))) {
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
