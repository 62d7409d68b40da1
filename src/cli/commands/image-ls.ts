// tinyrun image ls, images
import { TinyrunError } from '../../errors.ts';
import { tryReference } from '../../image/reference.ts';
import { imageSize } from '../../image/sizes.ts';
import { createdAt, type Image, listImages } from '../../image/store.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text, texts } from '../command-line.ts';
import { parseFilters } from '../filters.ts';
import { humanDuration, humanSize, humanTime, shortId } from '../format/human.ts';
import { formatList } from '../format/list.ts';
import { LIST_FILTERS, matchesImage, matchesName } from '../image-filter.ts';
import { imageUsers } from '../image-users.ts';

export function run(line: CommandLine, global: GlobalOptions): number {
  const { dataRoot } = global;
  const filters = parseFilters(texts(line, 'filter'), LIST_FILTERS);
  const images = listImages(dataRoot);
  const found = images.filter((image) => matchesImage(image, filters, images));
  const patterns = [...line.args, ...(filters.get('reference') ?? [])];
  if (line.args[0] !== undefined) assertPattern(line.args[0]);
  const withDigests = flag(line, 'digests');
  const whole = flag(line, 'no-trunc');
  const containers = imageUsers(global).filter(({ kind }) => kind === 'container');
  const counts = Map.groupBy(containers, ({ imageId }) => imageId);
  const rows = found.flatMap((image) => {
    const count = counts.get(image.id)?.length ?? 0;
    return namesOf(image, patterns, withDigests).map((name) => rowOf(dataRoot, image, name, whole, count));
  });
  const isQuiet = flag(line, 'quiet');
  print(
    1,
    formatList({
      format: text(line, 'format'),
      quiet: isQuiet,
      table: [
        ['REPOSITORY', 'Repository'],
        ['TAG', 'Tag'],
        ...(withDigests ? ([['DIGEST', 'Digest']] as const) : []),
        ['IMAGE ID', 'ID'],
        ['CREATED', 'CreatedSince'],
        ['SIZE', 'Size'],
      ],
      id: 'ID',
      rows: isQuiet ? [...new Map(rows.map((row) => [row['ID'], row])).values()] : rows,
    }),
  );
  return 0;
}

/** `docker images Bb` is a mistake, not an image that is not here. */
function assertPattern(pattern: string): void {
  if (pattern === '' || /\s/.test(pattern))
    throw new TinyrunError('USAGE', 'invalid reference format', {
      hint: 'REPOSITORY[:TAG], with * and ? for any',
    });
}

interface Name {
  repository: string;
  tag: string;
  digest: string;
}

const NONE = '<none>';

/** A row for each tag; with digests, for each pair of both; one without name where there is none. */
function namesOf(image: Image, patterns: readonly string[], withDigests: boolean): Name[] {
  const matching = (name: string): boolean =>
    patterns.length === 0 || patterns.some((pattern) => matchesName(name, pattern));
  const toReferences = (names: readonly string[]) => names.map((name) => tryReference(name)!);
  const all = toReferences(image.digests);
  const rows = toReferences(image.tags.filter(matching)).flatMap(
    ({ familiarRepository: repository, tag = NONE }) => {
      const own = withDigests ? all.filter((one) => one.familiarRepository === repository) : [];
      const digests = own.length === 0 ? [NONE] : own.map(({ digest = NONE }) => digest);
      return digests.map((digest) => ({ repository, tag, digest }));
    },
  );
  if (rows.length > 0) return rows;
  const digests = toReferences(image.digests.filter(matching));
  if (digests.length > 0)
    return digests.map(({ familiarRepository: repository, digest = NONE }) => ({
      repository,
      tag: NONE,
      digest,
    }));
  return patterns.length > 0 ? [] : [{ repository: NONE, tag: NONE, digest: NONE }];
}

/** The fields of Docker's list. */
function rowOf(
  dataRoot: string,
  image: Image,
  { repository, tag, digest }: Name,
  whole: boolean,
  containers: number,
): Record<string, unknown> {
  const created = createdAt(image);
  const size = humanSize(imageSize(dataRoot, image));
  return {
    Containers: `${containers}`,
    CreatedAt: humanTime(new Date(created)),
    CreatedSince: created === 0 ? 'N/A' : `${humanDuration(Date.now() - created)} ago`,
    Digest: digest,
    ID: whole ? image.id : shortId(image.id),
    Repository: repository,
    SharedSize: 'N/A',
    Size: size,
    Tag: tag,
    UniqueSize: 'N/A',
    VirtualSize: size,
  };
}
