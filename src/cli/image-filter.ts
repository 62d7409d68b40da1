// The filters of `image ls` and `image prune`. Of one key several: any of them holds; of labels, all.

import { TinyrunError } from '../errors.ts';
import { tryReference } from '../image/reference.ts';
import { createdAt, type Image, isIdPrefix } from '../image/store.ts';
import { anyHolds, type Filters, isTrue, labelsMatch } from './filters.ts';
import { parseMoment } from './moment.ts';

export const LIST_FILTERS = ['dangling', 'label', 'label!', 'before', 'since', 'until', 'reference'] as const;
export const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until'] as const;
type ImageFilter = (typeof LIST_FILTERS)[number];

/**
 * Whether an image is one of those asked for; `reference` is a matter of its names, see matchesName.
 * @param all images, among which `before` and `since` name one
 * @throws TinyrunError NOT_FOUND, USAGE for a value that is none
 */
export const matchesImage = (image: Image, filters: Filters<ImageFilter>, all: readonly Image[]): boolean =>
  anyHolds(filters, 'dangling', (value) => (image.tags.length === 0) === isTrue(value)) &&
  anyHolds(filters, 'before', (name) => createdAt(image) < createdAt(findIn(all, name))) &&
  anyHolds(filters, 'since', (name) => createdAt(image) > createdAt(findIn(all, name))) &&
  anyHolds(
    filters,
    'until',
    (time) => BigInt(createdAt(image)) * 1_000_000n < parseMoment(time, Date.now(), '--filter until'),
  ) &&
  anyHolds(filters, 'reference', (pattern) =>
    [...image.tags, ...image.digests].some((name) => matchesName(name, pattern)),
  ) &&
  labelsMatch(image.config.config?.Labels ?? {}, filters);

function findIn(images: readonly Image[], called: string): Image {
  const name = tryReference(called)?.familiar;
  const hex = called.replace('sha256:', '');
  const found =
    images.find(({ tags, digests }) => name !== undefined && [...tags, ...digests].includes(name)) ??
    (isIdPrefix(called) ? images.find(({ id }) => id.startsWith(`sha256:${hex}`)) : undefined);
  if (found === undefined) throw new TinyrunError('NOT_FOUND', `No such image: ${called}`);
  return found;
}

/**
 * Whether a familiar name fits a pattern: the repository, with or without its tag; `*` and `?` are any characters but
 * slashes, as in Go's path.Match.
 */
export function matchesName(name: string, pattern: string): boolean {
  const { familiarRepository, tag, digest } = tryReference(name)!;
  const normal = pattern.replace(/^(index\.)?docker\.io\/(library\/)?/, '');
  const forms = [
    familiarRepository,
    ...(tag === undefined ? [] : [`${familiarRepository}:${tag}`]),
    ...(digest === undefined ? [] : [`${familiarRepository}@${digest}`]),
  ];
  const expression = new RegExp(
    `^${normal
      .replace(/[\\^$+.()|{}]/g, '\\$&')
      .replace(/\*/g, '[^/]*')
      .replace(/\?/g, '[^/]')}$`,
  );
  return forms.some((form) => expression.test(form));
}
