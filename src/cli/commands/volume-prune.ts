// tinyrun volume prune [-a] [-f]: removes volumes that no container uses; of themselves, only anonymous ones.
import { TinyrunError } from '../../errors.ts';
import { createLog } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { repairUses } from '../../runtime/stale-uses.ts';
import { repair } from '../../volume/directory.ts';
import type { Problem } from '../../volume/record.ts';
import { removeVolume } from '../../volume/remove.ts';
import { listVolumes } from '../../volume/store.ts';
import { usageNow } from '../../volume/usage.ts';
import { usersByVolume } from '../../volume/uses.ts';
import type { Volume } from '../../volume/volume.ts';
import { type CommandLine, flag, texts } from '../command-line.ts';
import { confirm } from '../confirm.ts';
import { forEach } from '../each.ts';
import { type Filters, isTrue, parseFilters } from '../filters.ts';
import { type Pruned, printPruned } from '../prune.ts';
import { matches, type VolumeFilter } from '../volume-filter.ts';

/** `all` is Docker's other word for --all. */
const KEYS = ['all', 'anonymous', 'driver', 'label', 'label!', 'name'] as const;

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const filters = parseFilters(texts(line, 'filter'), KEYS);
  if (flag(line, 'all') && filters.has('all'))
    throw new TinyrunError('USAGE', 'conflicting options: cannot specify both --all and --filter all=1');
  const all = flag(line, 'all') || (filters.get('all') ?? []).some(isTrue);
  const dry = flag(line, 'dry-run');
  const which = all ? 'all' : 'anonymous';
  const question = `WARNING! This will remove ${which} local volumes not used by at least one container.`;
  if (!dry && !flag(line, 'force') && !confirm(question)) return 0;
  return printPruned(await pruneVolumes(global, filters, { all, dry }));
}

/** @throws TinyrunError USAGE for a driver that is none */
export async function pruneVolumes(
  global: GlobalOptions,
  filters: Filters<VolumeFilter>,
  { all, dry }: { all: boolean; dry: boolean },
): Promise<Pruned> {
  await repairUses(global);
  const log = createLog(global);
  const warn = ({ error }: Problem): void => log.warn(error instanceof Error ? error.message : String(error));
  if (!dry)
    for (const { message } of repair(global.dataRoot))
      log.warn(`remove what is left of a volume: ${message}`);
  const users = usersByVolume(global.dataRoot);
  const isUsed = (name: string): boolean => users.has(name);
  const unused = (await listVolumes(global.dataRoot, warn)).filter(
    (volume) =>
      volume.scope === 'local' &&
      (all || volume.anonymous) &&
      matches(volume, filters, isUsed) &&
      !isUsed(volume.name),
  );
  const byName = new Map(unused.map((volume) => [volume.name, volume]));
  const removed: string[] = [];
  let reclaimed = 0;
  const code = await forEach([...byName.keys()], global, async (name) => {
    const size = (await usageNow(global.dataRoot, byName.get(name)!))?.bytes ?? 0;
    if (!dry && !(await remove(global.dataRoot, name))) return;
    removed.push(name);
    reclaimed += size;
  });
  return { heading: `${dry ? 'Would delete' : 'Deleted'} Volumes`, lines: removed, reclaimed, code };
}

/** Returns false where a container has come to use it meanwhile, or somebody else removed it. */
async function remove(dataRoot: string, name: Volume['name']): Promise<boolean> {
  try {
    await removeVolume(dataRoot, name);
    return true;
  } catch (error) {
    if (error instanceof TinyrunError && (error.code === 'STATE' || error.code === 'NOT_FOUND')) return false;
    throw error;
  }
}
