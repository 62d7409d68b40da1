// An image of an archive or layout -> the store. Everything is checked by the digest that names it: the config by the
// image's id, each layer by its diff id in the config, and, where the archive says them, blobs by their digests and sizes.
// A layer that is here already is not read.

import { digestOf } from '../archive/digest.ts';
import { noProgress, type Progress, startProgress } from '../archive/progress.ts';
import { openArchive } from '../archive/stored.ts';
import { TinyrunError } from '../errors.ts';
import type { ArchivedBlob, ArchivedImage } from './archived.ts';
import { type Blobs, readBlob } from './blobs.ts';
import { chainIdsOf } from './chain-id.ts';
import { type ImageConfig, LARGEST_CONFIG, parseImageConfig } from './config.ts';
import { addLayer } from './layer-archive.ts';
import { findLayer } from './layers.ts';
import { parseReference, type Reference } from './reference.ts';
import { createImage, type Image } from './store.ts';
import { isDoubtful } from './unsynced.ts';

/**
 * Brings one image in, with its layers; it is seen when it is whole. Call it inside of keepingLayers (folders.ts).
 * @param names that it gets
 * @param quiet no line that shows how far it is
 * @throws TinyrunError ARCHIVE, CONFIG where something is missing, damaged, or not what it is said to be
 */
export async function importArchived(
  dataRoot: string,
  blobs: Blobs,
  archived: ArchivedImage,
  { names, quiet }: { names: readonly Reference[]; quiet: boolean },
): Promise<Image> {
  const { bytes, config } = await readConfig(blobs, archived);
  const diffIds = config.rootfs.diff_ids;
  const chain = chainIdsOf(diffIds);
  const wanted: Wanted[] = archived.layers.flatMap((blob, i) =>
    findLayer(dataRoot, chain[i]!) === undefined || isDoubtful(dataRoot, chain[i]!)
      ? [{ blob, diffId: diffIds[i]!, parent: chain[i - 1] }]
      : [],
  );
  const total = wanted.reduce((sum, { blob }) => sum + (blobs.size(blob.path) ?? 0), 0);
  const name = names[0]?.familiar ?? blobs.name;
  const progress = quiet ? noProgress : startProgress(`import ${name}`, total);
  try {
    for (const layer of wanted) await addBlob(dataRoot, blobs, layer, progress);
  } finally {
    progress.end();
  }
  return await createImage(dataRoot, bytes, { names: [...names, ...digestNames(archived, names)] });
}

async function readConfig(
  blobs: Blobs,
  { config: blob, layers }: ArchivedImage,
): Promise<{ bytes: Uint8Array; config: ImageConfig }> {
  const bytes = await readBlob(blobs, blob.path, LARGEST_CONFIG);
  const name = `${blobs.name}: config ${blob.path}`;
  const id = digestOf(bytes);
  if (blob.digest !== undefined && id !== blob.digest)
    throw new TinyrunError('ARCHIVE', `${name}: its digest is ${id}, not ${blob.digest}`);
  if (blob.size !== undefined && bytes.length !== blob.size)
    throw new TinyrunError('ARCHIVE', `${name}: it has ${bytes.length} bytes, not ${blob.size}`);
  const config = parseImageConfig(bytes, name);
  if (config.os !== 'linux')
    throw new TinyrunError('UNSUPPORTED', `${name}: the image is for ${config.os}, not for linux`);
  const count = config.rootfs.diff_ids.length;
  if (count !== layers.length)
    throw new TinyrunError(
      'ARCHIVE',
      `${name}: it has ${count} diff ids, but there are ${layers.length} layers`,
    );
  return { bytes, config };
}

interface Wanted {
  blob: ArchivedBlob;
  /** Of the layer: a blob with this digest is the archive itself, and is hashed once. */
  diffId: string;
  parent: string | undefined;
}

/** Adds a layer, whose blob must be what the archive says. */
async function addBlob(
  dataRoot: string,
  blobs: Blobs,
  { blob: { path, digest, size }, diffId, parent }: Wanted,
  { advance }: Progress,
): Promise<void> {
  const wrong = (what: string): TinyrunError =>
    new TinyrunError('ARCHIVE', `${blobs.name}: layer ${path} ${what}`);
  const digestStored = digest !== undefined && digest !== diffId;
  const blob = blobs.open(path);
  try {
    if (size !== undefined && blob.range.size !== size)
      throw wrong(`has ${blob.range.size} bytes, not ${size}`);
    const tar = await openArchive(blob, { digestStored, advance });
    const check = (): void => {
      const found = digestStored ? tar.storedDigest() : tar.digest();
      if (digest !== undefined && found !== digest) throw wrong(`has another digest: ${found}`);
    };
    try {
      await addLayer(dataRoot, parent, tar, { diffId, check });
    } finally {
      tar.close();
    }
  } finally {
    blob.close();
  }
}

/** The archive's own digest for the image, in each repository that it has a name in. */
function digestNames({ digest }: ArchivedImage, names: readonly Reference[]): Reference[] {
  if (digest === undefined) return [];
  const repositories = new Set(names.map(({ familiarRepository }) => familiarRepository));
  return [...repositories].map((repository) => parseReference(`${repository}@${digest}`));
}
