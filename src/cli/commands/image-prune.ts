// tinyrun image prune
import { TinyrunError } from '../../errors.ts';
import { pruneImages, type Removal } from '../../image/remove.ts';
import { listImages } from '../../image/store.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, texts } from '../command-line.ts';
import { confirm } from '../confirm.ts';
import { isTrue, parseFilters } from '../filters.ts';
import { humanSize } from '../format/human.ts';
import { matchesImage, PRUNE_FILTERS } from '../image-filter.ts';
import { imageUsers } from '../image-users.ts';

const WARNING = {
  dangling: 'WARNING! This will remove all dangling images.',
  all: 'WARNING! This will remove all images without at least one container associated to them.',
};

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const given = parseFilters(texts(line, 'filter'), PRUNE_FILTERS);
  const dangling = given.get('dangling')?.map(isTrue).at(-1) ?? true;
  const all = flag(line, 'all') || !dangling;
  if (!flag(line, 'force') && !confirm(all ? WARNING.all : WARNING.dangling))
    throw new TinyrunError('USAGE', 'image prune has been cancelled');
  const filters = new Map([...given].filter(([key]) => key !== 'dangling'));
  const { removals, reclaimed } = await pruneImages(
    global.dataRoot,
    imageUsers(global),
    (image) => (all || image.tags.length === 0) && matchesImage(image, filters, listImages(global.dataRoot)),
  );
  const list = removals.length === 0 ? '' : `Deleted Images:\n${removals.map(formatPruned).join('')}\n`;
  print(1, `${list}Total reclaimed space: ${humanSize(reclaimed)}\n`);
  return 0;
}

const formatPruned = (removal: Removal): string =>
  'Untagged' in removal ? `untagged: ${removal.Untagged}\n` : `deleted: ${removal.Deleted}\n`;
