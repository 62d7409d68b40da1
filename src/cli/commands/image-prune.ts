// tinyrun image prune
import { pruneImages, type Removal } from '../../image/remove.ts';
import { listImages } from '../../image/store.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, texts } from '../command-line.ts';
import { confirm } from '../confirm.ts';
import { type Filters, isTrue, parseFilters } from '../filters.ts';
import { matchesImage, PRUNE_FILTERS } from '../image-filter.ts';
import { imageUsers } from '../image-users.ts';
import { type Pruned, printPruned } from '../prune.ts';

const WARNING = {
  dangling: 'WARNING! This will remove all dangling images.',
  all: 'WARNING! This will remove all images without at least one container associated to them.',
};

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const given = parseFilters(texts(line, 'filter'), PRUNE_FILTERS);
  const dangling = given.get('dangling')?.map(isTrue).at(-1) ?? true;
  const all = flag(line, 'all') || !dangling;
  if (!flag(line, 'force') && !confirm(all ? WARNING.all : WARNING.dangling)) return 0;
  const filters = new Map([...given].filter(([key]) => key !== 'dangling'));
  return printPruned(await pruneUnusedImages(global, filters, all));
}

/**
 * @param all those that have a name, too
 * @throws TinyrunError USAGE for a time that is none
 */
export async function pruneUnusedImages(
  global: GlobalOptions,
  filters: Filters<'until' | 'label' | 'label!' | 'dangling'>,
  all: boolean,
): Promise<Pruned> {
  const { removals, reclaimed } = await pruneImages(
    global.dataRoot,
    imageUsers(global),
    (image) => (all || image.tags.length === 0) && matchesImage(image, filters, listImages(global.dataRoot)),
  );
  return { heading: 'Deleted Images', lines: removals.map(formatPruned), reclaimed, code: 0 };
}

const formatPruned = (removal: Removal): string =>
  'Untagged' in removal ? `untagged: ${removal.Untagged}` : `deleted: ${removal.Deleted}`;
