// What a container mounts by flags, by other containers' mounts, and by volumes that its bundle names: before its program is
// planned. Loaded only for containers that have such.

import type { Owner } from '../disk/inode.ts';
import type { Config } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { FlagMount, UsesInput } from '../plan/input.ts';
import { configMounts } from '../plan/mount-list.ts';
import { isVolume, parseConfigVolume } from '../volume/config-volumes.ts';
import { byDepth, distinctMounts, isPlain, toFlagMount } from '../volume/oci-mounts.ts';
import type { MountsWanted } from '../volume/prepare.ts';
import { assertPropagates } from '../volume/propagation.ts';
import { assertIdmaps, parseRequests, warnOfDriver } from './mount-requests.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { removeStale } from './removal.ts';
import { abandonUses, lockUses, UNLOCKED } from './uses.ts';

/** The mounts for the planner; see PlanInput. */
export interface GatheredMounts {
  configMounts?: FlagMount[];
  flagMounts: FlagMount[];
  uses?: UsesInput;
}

/**
 * Finds the mounts, creates volumes that are missing, and writes down what is used.
 * @param roots directories of the rootfs, topmost first: what new volumes are filled from
 * @param look nothing is changed: what is missing is taken as made
 * @throws TinyrunError; then nothing is left of what was made for this container
 */
export async function gatherVolumes(
  global: GlobalOptions,
  options: RunOptions,
  config: Config,
  host: HostFacts,
  roots: readonly string[],
  look: boolean,
): Promise<GatheredMounts> {
  const requests = distinctMounts(parseRequests(options, host.cwd));
  if (!look) warnOfDriver(global, options);
  assertIdmaps(requests, config.linux?.namespaces?.some(({ type }) => type === 'user') ?? false);
  const named = configMounts({ config });
  const configVolumes = named.flatMap(({ mount, from }) =>
    isVolume(mount) ? [parseConfigVolume(mount, from)] : [],
  );
  const plain =
    requests.every(isPlain) && configVolumes.length + options.volumesFrom.length === 0 && !isKnown(options);
  if (plain) {
    requests.forEach(assertPropagates);
    return { flagMounts: byDepth(requests, ({ destination }) => destination).map((one) => toFlagMount(one)) };
  }
  const wanted = {
    ...{ dataRoot: global.dataRoot, stateRoot: global.root, id: options.id },
    ...(options.named && { name: options.id }),
    transient: options.lifecycle === 'foreground' && (options.remove || !(options.named || options.keep)),
    ...{ requests, configVolumes, volumesFrom: options.volumesFrom },
  };
  if (!look) return await makeMounts(global, wanted, named, config, roots);
  const { mounts } = await prepare(wanted, config, roots, 'look');
  return { ...split(named, mounts), uses: { lock: UNLOCKED } };
}

/** Whether somebody knows the id, and may name it for --volumes-from. */
const isKnown = ({ named, keep, form, lifecycle }: RunOptions): boolean =>
  named || keep || form === 'runc' || lifecycle !== 'foreground';

async function prepare(
  wanted: MountsWanted,
  config: Config,
  roots: readonly string[],
  mode: 'make' | 'look',
): Promise<{ mounts: FlagMount[] }> {
  const { prepareMounts } = await import('../volume/prepare.ts');
  const { uid = 0, gid = 0 } = config.process.user ?? {};
  return prepareMounts({
    ...{ ...wanted, roots, mode },
    user: ownerOnHost(config, uid, gid),
    root: ownerOnHost(config, 0, 0),
  });
}

/** Who ids of the container are on the host. */
export function ownerOnHost({ linux }: Config, uid: number, gid: number): Owner {
  const own = linux?.namespaces?.some(({ type }) => type === 'user');
  const outside = (id: number, mappings: NonNullable<Config['linux']>['uidMappings'] = []): number => {
    const range = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
    return range === undefined ? id : range.hostID + id - range.containerID;
  };
  return own
    ? { uid: outside(uid, linux?.uidMappings), gid: outside(gid, linux?.gidMappings) }
    : { uid, gid };
}

async function makeMounts(
  global: GlobalOptions,
  wanted: MountsWanted,
  named: readonly FlagMount[],
  config: Config,
  roots: readonly string[],
): Promise<GatheredMounts> {
  const { dataRoot, id } = wanted;
  await removeStale(global.root, id, dataRoot);
  const uses = lockUses(global, id);
  try {
    const { mounts } = await prepare(wanted, config, roots, 'make');
    return { ...split(named, mounts), uses };
  } catch (error) {
    await abandonUses(dataRoot, id, uses);
    throw error;
  }
}

/** Those of config.json keep their place among its mounts, less those that give way to a flag. */
function split(named: readonly FlagMount[], mounts: readonly FlagMount[]): GatheredMounts {
  const flagMounts = mounts.filter(({ from }) => !from.startsWith('/'));
  if (!named.some(({ mount }) => isVolume(mount))) return { flagMounts };
  return {
    configMounts: named.flatMap((one) =>
      isVolume(one.mount) ? mounts.filter(({ from }) => from === one.from) : [one],
    ),
    flagMounts,
  };
}
