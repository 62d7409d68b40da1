// tinyrun system prune [-a] [--volumes] [-f] [--filter]: removes what no container uses: containers that do not run, then volumes
// and images, which those have used.

import { TinyrunError } from '../../errors.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, texts } from '../command-line.ts';
import { confirm } from '../confirm.ts';
import { parseFilters } from '../filters.ts';
import { type Pruned, printPruned } from '../prune.ts';
import { pruneContainers } from './container-prune.ts';
import { pruneUnusedImages } from './image-prune.ts';
import { pruneVolumes } from './volume-prune.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const given = texts(line, 'filter');
  const filters = parseFilters(given, ['until', 'label', 'label!']);
  const [all, volumes] = [flag(line, 'all'), flag(line, 'volumes')];
  if (volumes && filters.has('until'))
    throw new TinyrunError('USAGE', 'The "until" filter is not supported with "--volumes"', {
      hint: 'a volume is not older for not being used: leave one of them out',
    });
  if (!flag(line, 'force') && !confirm(warning(all, volumes, given))) return 0;
  const kinds: Pruned[] = [await pruneContainers(global, filters)];
  if (volumes)
    kinds.push(
      await pruneVolumes(global, parseFilters(given, ['label', 'label!']), { all: false, dry: false }),
    );
  kinds.push(await pruneUnusedImages(global, filters, all));
  return printPruned(...kinds);
}

/** Docker's words, without the networks and the build cache that there are not. */
function warning(all: boolean, volumes: boolean, filters: readonly string[]): string {
  const items = (texts: readonly string[]): string => texts.map((text) => `  - ${text}\n`).join('');
  const removed = items([
    'all stopped containers',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
  ]);
  const those =
    filters.length === 0 ? '' : `\n  Items to be pruned will be filtered with:\n${items(filters)}`;
  return `WARNING! This will remove:\n${removed}${those}`;
}
