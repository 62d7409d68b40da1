// The images of this host: a config by its digest, which is the image's id, and names for it. Their layers are in layers.ts.
//
// A config is written before the first name of it and goes after the last one, so a name always means an image that is whole.

import { rawSyscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, listDirectory, readSmall, readSmallBytes } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { chainIdsOf } from './chain-id.ts';
import { type ImageConfig, LARGEST_CONFIG, parseImageConfig } from './config.ts';
import { configFolder, metadataFolder, withImagesLocked } from './folders.ts';
import { keptName, type Names, namesOf, readNames, writeNames } from './names.ts';
import { isDigest, parseReference, type Reference, tryReference } from './reference.ts';

export interface Image {
  /** `sha256:HEX`: the digest of its config. */
  id: string;
  config: ImageConfig;
  /** The config as it came. */
  configBytes: Uint8Array;
  /** Familiar names: `bb:latest`. */
  tags: string[];
  /** Names by the digest of the manifest that it came with: `bb@sha256:HEX`. */
  digests: string[];
  /** Chain ids of its layers, the base first. */
  layers: string[];
}

/** sha256 of bytes: `sha256:HEX` */
export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;

const hexOf = (digest: string): string => digest.slice('sha256:'.length);

/**
 * Looks an image up.
 * @param called a name, an id (`sha256:HEX`, HEX) or the beginning of one; names come first
 * @returns undefined where there is none
 * @throws TinyrunError USAGE if several ids begin so; CONFIG where the image is damaged
 */
export function findImage(dataRoot: string, called: string): Image | undefined {
  const names = readNames(dataRoot);
  const reference = tryReference(called);
  const id = (reference && names.get(keptName(reference))) ?? idOfPrefix(dataRoot, called);
  return id === undefined ? undefined : readImage(dataRoot, id, names);
}

/**
 * The same, where there must be one.
 * @throws TinyrunError NOT_FOUND in Docker's words; USAGE where it is no name at all
 */
export function resolveImage(dataRoot: string, called: string): Image {
  const image = findImage(dataRoot, called);
  if (image !== undefined) return image;
  const name = isWholeId(called) ? called : parseReference(called).familiar;
  throw new TinyrunError('NOT_FOUND', `No such image: ${name}`, {
    hint: '`tinyrun image ls` lists those that are here',
    data: { image: name },
  });
}

/** A whole id, with or without what it is a digest by, is no name. */
const isWholeId = (text: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(text);

/** Whether a text may be the id of an image, or the beginning of one. */
export const isIdPrefix = (text: string): boolean => /^(sha256:)?[0-9a-f]{1,64}$/.test(text);

/** Whether a text is the id of this image or the beginning of it, and none of its names. */
export const meansId = (image: Image, called: string): boolean =>
  isIdPrefix(called) &&
  image.id.startsWith(`sha256:${called.replace('sha256:', '')}`) &&
  !image.tags.includes(tryReference(called)?.familiar ?? '');

function idOfPrefix(dataRoot: string, called: string): string | undefined {
  if (!isIdPrefix(called)) return undefined;
  const prefix = `sha256:${called.replace('sha256:', '')}`;
  const found = listImageIds(dataRoot).filter((id) => id.startsWith(prefix));
  if (found.length > 1)
    throw new TinyrunError('USAGE', `multiple IDs found with provided prefix: ${called}`, {
      hint: `write more of it: ${found.map((id) => hexOf(id).slice(0, 16)).join(', ')}`,
    });
  return found[0];
}

/** The ids of all images, sorted. */
export const listImageIds = (dataRoot: string): string[] =>
  listDirectory(configFolder(dataRoot))
    .map((name) => `sha256:${name}`)
    .filter(isDigest)
    .sort();

/**
 * All images, the newest first.
 * @throws TinyrunError CONFIG where one is damaged
 */
export function listImages(dataRoot: string): Image[] {
  const names = readNames(dataRoot);
  const images = listImageIds(dataRoot).flatMap((id) => readImage(dataRoot, id, names) ?? []);
  return images.sort((a, b) => createdAt(b) - createdAt(a) || (a.id < b.id ? -1 : 1));
}

/** When an image was made, in milliseconds since 1970; 0 where it does not say. */
export const createdAt = ({ config }: Image): number => Date.parse(config.created ?? '') || 0;

function readImage(dataRoot: string, id: string, names: Names): Image | undefined {
  const configBytes = readSmallBytes(AT_FDCWD, `${configFolder(dataRoot)}/${hexOf(id)}`, LARGEST_CONFIG);
  if (configBytes === undefined) return undefined; // it was removed this moment
  if (digestOf(configBytes) !== id)
    throw new TinyrunError('CONFIG', `image ${id} is damaged: its config is not what its id says`, {
      hint: `it can be removed: tinyrun image rm --force ${id}`,
      data: { damaged: id },
    });
  const config = parseImageConfig(configBytes, `config of image ${id}`);
  return { id, config, configBytes, ...namesOf(names, id), layers: chainIdsOf(config.rootfs.diff_ids) };
}

export interface CreateOptions {
  /** Names that the image gets; others lose them. */
  names?: readonly Reference[];
  /** Id of the image that this one was made from, for `inspect`. */
  parent?: string;
}

/**
 * Makes an image of a config whose layers are there: seen whole or not at all. The same config again is the same image.
 * Call it inside of keepingLayers (folders.ts), with the making of the layers.
 * @param configBytes JSON of an OCI image config, as it came
 * @throws TinyrunError CONFIG where it is invalid
 */
export async function createImage(
  dataRoot: string,
  configBytes: Uint8Array,
  { names = [], parent }: CreateOptions = {},
): Promise<Image> {
  const id = digestOf(configBytes);
  const config = parseImageConfig(configBytes, `config of image ${id}`);
  return await withImagesLocked(dataRoot, () => {
    writeFileAtomic(`${configFolder(dataRoot)}/${hexOf(id)}`, configBytes);
    if (parent !== undefined) writeMetadata(dataRoot, id, 'parent', parent);
    const all = setNames(dataRoot, id, names);
    return { id, config, configBytes, ...namesOf(all, id), layers: chainIdsOf(config.rootfs.diff_ids) };
  });
}

/**
 * Gives an image one more name; an image that had it loses it.
 * @throws TinyrunError NOT_FOUND where the image is not there; USAGE for a name with a digest
 */
export async function tagImage(dataRoot: string, called: string, name: Reference): Promise<void> {
  if (name.digest !== undefined)
    throw new TinyrunError('USAGE', 'refusing to create a tag with a digest reference');
  if (name.familiarRepository === 'sha256')
    throw new TinyrunError(
      'USAGE',
      `refusing to create an ambiguous tag using digest algorithm as name: ${name.familiar}`,
    );
  await withImagesLocked(dataRoot, () => {
    setNames(dataRoot, resolveImage(dataRoot, called).id, [name]);
  });
}

/** The caller holds the images' lock. */
function setNames(dataRoot: string, id: string, references: readonly Reference[]): Names {
  const names = readNames(dataRoot);
  if (references.length === 0) return names;
  for (const reference of references) names.set(keptName(reference), id);
  writeMetadata(dataRoot, id, 'lastUpdated', new Date().toISOString());
  writeNames(dataRoot, names);
  return names;
}

type Metadata = 'parent' | 'lastUpdated';

function writeMetadata(dataRoot: string, id: string, name: Metadata, text: string): void {
  const folder = `${metadataFolder(dataRoot)}/${hexOf(id)}`;
  rawSyscall('mkdirat', AT_FDCWD, folder, 0o700);
  writeFileAtomic(`${folder}/${name}`, text);
}

/** What is known of an image beside its config: when it got a name (RFC 3339), and the id that it was made from. */
export const readMetadata = (dataRoot: string, id: string, name: Metadata): string | undefined =>
  readSmall(AT_FDCWD, `${metadataFolder(dataRoot)}/${hexOf(id)}/${name}`);
