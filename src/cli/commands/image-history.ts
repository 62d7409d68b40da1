// tinyrun image history
import { type HistoryStep, historyOf } from '../../image/history.ts';
import { type LayerUse, layerSize, layerUses, uniqueSize } from '../../image/sizes.ts';
import { type Image, listImages, resolveImage } from '../../image/store.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { ellipsis, humanDuration, humanSize, shortId } from '../format/human.ts';
import { formatList } from '../format/list.ts';

interface Shown {
  dataRoot: string;
  image: Image;
  human: boolean;
  whole: boolean;
  /** undefined: it is not asked which images share the layers. */
  uses: ReadonlyMap<string, LayerUse> | undefined;
}

export function run(line: CommandLine, { dataRoot }: GlobalOptions): number {
  const image = resolveImage(dataRoot, line.args[0] ?? '');
  const uses = flag(line, 'sizes') ? layerUses(dataRoot, listImages(dataRoot)) : undefined;
  const human = line.options['human'] !== false;
  const shown: Shown = { dataRoot, image, human, whole: flag(line, 'no-trunc'), uses };
  const output = formatList({
    format: text(line, 'format'),
    quiet: flag(line, 'quiet'),
    table: [
      ['IMAGE', 'ID'],
      ['CREATED', 'CreatedSince'],
      ['CREATED BY', 'CreatedBy'],
      ['SIZE', 'Size'],
      ...(uses === undefined ? [] : ([['SHARED WITH', 'SharedWith']] as const)),
      ['COMMENT', 'Comment'],
    ],
    id: 'ID',
    rows: historyOf(image).map((step, i) => rowOf(shown, step, i === 0)),
  });
  print(1, output);
  if (uses !== undefined && text(line, 'format') === undefined && !flag(line, 'quiet'))
    print(1, `\n${sharing(shown, uses)}\n`);
  return 0;
}

/** The fields of Docker's list, and the images that have the same layer. */
function rowOf(shown: Shown, step: HistoryStep, newest: boolean): Record<string, unknown> {
  const { dataRoot, image, human, whole, uses } = shown;
  const created = Date.parse(step.created ?? '');
  const createdAt = Number.isNaN(created) ? 'N/A' : new Date(created).toISOString();
  const by = (step.created_by ?? '').replaceAll('\t', ' ').replaceAll('\n', ' ');
  const size = step.layer === undefined ? 0 : layerSize(dataRoot, step.layer);
  const others = (step.layer && uses?.get(step.layer)?.images.filter(({ id }) => id !== image.id)) || [];
  return {
    Comment: whole ? (step.comment ?? '') : ellipsis(step.comment ?? '', 45),
    CreatedAt: createdAt,
    CreatedBy: whole ? by : ellipsis(by, 45),
    CreatedSince: human && createdAt !== 'N/A' ? `${humanDuration(Date.now() - created)} ago` : createdAt,
    ID: newest ? (whole ? image.id : shortId(image.id)) : '<missing>',
    SharedWith:
      others.map((other) => other.tags[0] ?? shortId(other.id)).join(', ') || (step.layer ? '-' : ''),
    Size: human ? humanSize(size) : `${size}`,
  };
}

function sharing({ image, human }: Shown, uses: ReadonlyMap<string, LayerUse>): string {
  const total = image.layers.reduce((sum, chainId) => sum + (uses.get(chainId)?.size ?? 0), 0);
  const unique = uniqueSize(image, uses);
  const show = (bytes: number): string => (human ? humanSize(bytes) : `${bytes}`);
  return `size ${show(total)}, shared with other images ${show(total - unique)}, unique ${show(unique)}`;
}
