// An OCI image layout, in a directory or a tar: index.json leads to manifests by digest, these to configs and layers
// (OCI image-spec image-layout.md). Everything but index.json is named by its digest, and checked by it.

import { digestOf } from '../archive/digest.ts';
import { TinyrunError } from '../errors.ts';
import { type Json, parseJsonObject } from '../oci/json.ts';
import type { ArchivedBlob, ArchivedImage } from './archived.ts';
import { type Blobs, readBlob } from './blobs.ts';
import { decodeJson, LARGEST_CONFIG } from './config.ts';
import { type Descriptor, isIndex, type Platform, parseIndex, parseManifest } from './descriptor.ts';
import { choosePlatform, hostPlatform, isAttestation } from './platform.ts';
import { type Reference, tryReference } from './reference.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const CONTAINERD_NAME = 'io.containerd.image.name';
/** Indexes in an index in index.json: one is usual. */
const DEEPEST = 4;

/** Whether these are the files of an OCI layout: its marker is there. */
export const isLayout = (blobs: Blobs): boolean => blobs.size('oci-layout') !== undefined;

/**
 * The images of a layout, for one platform where they are made for several.
 * @param platform undefined: this machine's, where there is a choice
 * @throws TinyrunError ARCHIVE, CONFIG, NOT_FOUND (no image for the platform)
 */
export async function readLayout(blobs: Blobs, platform: Platform | undefined): Promise<ArchivedImage[]> {
  assertVersion(
    parseJsonObject(
      decodeJson(await readBlob(blobs, 'oci-layout', LARGEST_CONFIG), 'oci-layout'),
      'oci-layout',
    ),
  );
  const name = `${blobs.name}: index.json`;
  const top = parseIndex(await readBlob(blobs, 'index.json', LARGEST_CONFIG), name);
  const images: ArchivedImage[] = [];
  // Those of the same name are one image for several platforms; one without name and platform is one for itself.
  const keyOf = (one: Descriptor): string => nameOf(one) || (one.platform === undefined ? one.digest : '');
  for (const group of Map.groupBy(
    top.filter((one) => !isAttestation(one)),
    keyOf,
  ).values()) {
    const choice = group.length > 1 || platform !== undefined;
    const chosen = choice && !isIndex(group[0]!) ? chooseOne(group, platform, name) : group[0]!;
    images.push(await readImage(blobs, chosen, platform));
  }
  if (images.length === 0) throw new TinyrunError('ARCHIVE', `${name}: it has no image`);
  return images;
}

function chooseOne(group: readonly Descriptor[], platform: Platform | undefined, name: string): Descriptor {
  // A builder that makes one image need not say for what.
  if (group.length === 1 && group[0]!.platform === undefined) return group[0]!;
  return choosePlatform(group, platform ?? hostPlatform(), name);
}

function assertVersion(layout: Json): void {
  const version = layout['imageLayoutVersion'];
  if (typeof version !== 'string' || !version.startsWith('1.'))
    throw new TinyrunError(
      'ARCHIVE',
      `oci-layout: version ${JSON.stringify(version)} is not supported, only 1`,
    );
}

const pathOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

const toBlob = ({ digest, size }: Descriptor): ArchivedBlob => ({ path: pathOf(digest), digest, size });

/** Goes down to the manifest for the platform. */
async function readImage(
  blobs: Blobs,
  top: Descriptor,
  platform: Platform | undefined,
): Promise<ArchivedImage> {
  let descriptor = top;
  for (let depth = 0; isIndex(descriptor); depth++) {
    if (depth === DEEPEST)
      throw new TinyrunError('ARCHIVE', `${blobs.name}: indexes are nested deeper than ${DEEPEST}`);
    const list = parseIndex(await readDocument(blobs, descriptor), `index ${descriptor.digest}`);
    descriptor = choosePlatform(list, platform ?? hostPlatform(), `index ${descriptor.digest}`);
  }
  const manifest = parseManifest(await readDocument(blobs, descriptor), `manifest ${descriptor.digest}`);
  const name = referenceOf(top);
  return {
    config: toBlob(manifest.config),
    layers: manifest.layers.map(toBlob),
    names: name === undefined ? [] : [name],
    digest: top.digest,
  };
}

/** @throws TinyrunError ARCHIVE where it is not what the descriptor says */
async function readDocument(blobs: Blobs, { digest, size }: Descriptor): Promise<Uint8Array> {
  const bytes = await readBlob(blobs, pathOf(digest), LARGEST_CONFIG);
  if (bytes.length !== size)
    throw new TinyrunError('ARCHIVE', `${blobs.name}: blob ${digest} has ${bytes.length} bytes, not ${size}`);
  const found = digestOf(bytes);
  if (found !== digest)
    throw new TinyrunError('ARCHIVE', `${blobs.name}: blob ${digest} has another digest: ${found}`);
  return bytes;
}

/** What the index calls an image; empty: nothing. */
const nameOf = ({ annotations }: Descriptor): string =>
  annotations[CONTAINERD_NAME] ?? annotations[REF_NAME] ?? '';

/** A tag alone, as some tools write it, says nothing about the repository: it is no name. */
function referenceOf(descriptor: Descriptor): Reference | undefined {
  const name = nameOf(descriptor);
  return /[:/]/.test(name) ? tryReference(name) : undefined;
}
