// Names of images: `bb`, `bb:1`, `quay.io/team/bb@sha256:...`. The grammar, what is left out of a familiar name, and the
// words of errors are those of Docker (github.com/distribution/reference).

import { TinyrunError } from '../errors.ts';

export interface Reference {
  /** With its registry: `docker.io/library/bb`. */
  repository: string;
  /** As people write it: `bb`. */
  familiarRepository: string;
  /** Given, or `latest` where neither tag nor digest is. */
  tag: string | undefined;
  /** `sha256:HEX` */
  digest: string | undefined;
  /** The whole as people write it: `bb:latest`, `bb@sha256:HEX`. */
  familiar: string;
}

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const HOST = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = `(?:${HOST}(?:\\.${HOST})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const NAME = new RegExp(`^${DOMAIN}(?:/${COMPONENT})+$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const LONGEST_NAME = 255;
/** Longer than any valid reference: a regular expression need not look at more. */
const LONGEST = 1024;

const DEFAULT_REGISTRY = 'docker.io';
const OFFICIAL = 'library/';

/** Whether a text is a digest that images here can have: `sha256:` and 64 hexadecimal digits. */
export const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

/**
 * Parses the name of an image.
 * @param text as people write it: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`
 * @throws TinyrunError USAGE in Docker's words
 */
export function parseReference(text: string): Reference {
  if (/^[0-9a-f]{64}$/.test(text))
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  if (text.length > LONGEST)
    throw invalid(`invalid reference format: it has more than ${LONGEST} characters`);
  const { name, tag, digest } = splitReference(text);
  const { domain, path } = splitDomain(name);
  if (path.toLowerCase() !== path)
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  const repository = `${domain}/${path}`;
  const valid =
    NAME.test(repository) &&
    (tag === undefined || TAG.test(tag)) &&
    (digest === undefined || DIGEST.test(digest));
  if (!valid) throw invalid(`invalid reference format: ${JSON.stringify(text)}`);
  if (digest !== undefined && !isDigest(digest)) throw invalid('unsupported digest algorithm');
  if (path.length > LONGEST_NAME)
    throw invalid(`repository name must not be more than ${LONGEST_NAME} characters`);
  return toReference(repository, tag, digest);
}

/** The same; undefined where it is no name of an image. */
export function tryReference(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (error instanceof TinyrunError) return undefined;
    throw error;
  }
}

function toReference(repository: string, given: string | undefined, digest: string | undefined): Reference {
  const tag = given ?? (digest === undefined ? 'latest' : undefined);
  const familiarRepository = familiarName(repository);
  const suffix = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return { repository, familiarRepository, tag, digest, familiar: familiarRepository + suffix };
}

/** Splits off what stands behind the repository's name. A colon in front of a slash is that of a port. */
function splitReference(text: string): Pick<Reference, 'tag' | 'digest'> & { name: string } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  if (colon < 0 || rest.includes('/', colon)) return { name: rest, tag: undefined, digest };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

/** The first part is a registry only if it cannot be anything else: with a dot, a port, upper case, or `localhost`. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  const given = isDomain ? first : DEFAULT_REGISTRY;
  const domain = given === 'index.docker.io' ? DEFAULT_REGISTRY : given;
  const path = isDomain ? name.slice(slash + 1) : name;
  return { domain, path: domain === DEFAULT_REGISTRY && !path.includes('/') ? OFFICIAL + path : path };
}

/** `docker.io/library/bb` -> `bb` */
function familiarName(repository: string): string {
  const path = repository.startsWith(`${DEFAULT_REGISTRY}/`)
    ? repository.slice(DEFAULT_REGISTRY.length + 1)
    : repository;
  return path === repository || !path.startsWith(OFFICIAL) || path.includes('/', OFFICIAL.length)
    ? path
    : path.slice(OFFICIAL.length);
}

const invalid = (message: string): TinyrunError =>
  new TinyrunError('USAGE', message, {
    hint: 'an image is named [REGISTRY/]REPOSITORY[:TAG], in lower case',
  });
