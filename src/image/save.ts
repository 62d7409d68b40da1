// Images -> an archive that Docker, podman and skopeo load. A layer is packed to the very bytes that it was unpacked from, so
// configs, and with them ids, stay as they are.
//
//   docker   manifest.json and repositories, as `docker save` writes them since version 25: an OCI layout at the same time
//   oci      the OCI layout alone; its layers may be compressed
//
// Both have the same blobs: the config of each image, its layers, a manifest that names them.

import type { Compression } from '../archive/compress.ts';
import { digestOf } from '../archive/digest.ts';
import { END, encodeHeader } from '../archive/encode.ts';
import type { ByteSink } from '../archive/source.ts';
import { TinyrunError } from '../errors.ts';
import { findLayer } from './layers.ts';
import { type LayerBlob, withPackedLayer } from './packed-layer.ts';
import { parseReference } from './reference.ts';
import { createdAt, type Image } from './store.ts';

export type SaveFormat = { kind: 'docker' } | { kind: 'oci'; compression: Compression };

/** An image to save, and the names that the archive gives it. */
export interface Saved {
  image: Image;
  tags: string[];
}

const utf8 = new TextEncoder();
const BLOCK = 512;

/** A document and what names it. */
interface Blob {
  bytes: Uint8Array;
  digest: string;
}

const blobOf = (value: unknown): Blob => {
  const bytes = value instanceof Uint8Array ? value : utf8.encode(JSON.stringify(value));
  return { bytes, digest: digestOf(bytes) };
};

const pathOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

/**
 * Writes an archive.
 * @throws TinyrunError ARCHIVE where a layer's files are not what they were when it was unpacked; SystemError
 */
export async function saveImages(
  dataRoot: string,
  images: readonly Saved[],
  format: SaveFormat,
  sink: ByteSink,
): Promise<void> {
  const written = new Set<string>();
  const layerBlobs = new Map<string, LayerBlob>();
  const compression = format.kind === 'oci' ? format.compression : 'none';
  for (const folder of ['blobs/', 'blobs/sha256/']) await writeEntry(sink, folder, undefined);
  const manifests: Blob[] = [];
  for (const { image } of images) {
    const layers = await writeLayers(dataRoot, image, sink, compression, layerBlobs);
    const config: Blob = { bytes: image.configBytes, digest: image.id };
    const manifest = blobOf(manifestOf(config, layers));
    for (const blob of [config, manifest]) await writeBlob(sink, blob, written);
    manifests.push(manifest);
  }
  await writeDocuments(sink, images, manifests, format);
  await sink.write(END);
}

async function writeDocuments(
  sink: ByteSink,
  images: readonly Saved[],
  manifests: readonly Blob[],
  format: SaveFormat,
): Promise<void> {
  const write = (name: string, value: unknown) => writeEntry(sink, name, blobOf(value).bytes);
  await write('index.json', indexOf(images, manifests, format));
  if (format.kind === 'docker') await write('manifest.json', images.map(dockerManifest));
  await write('oci-layout', { imageLayoutVersion: '1.0.0' });
  if (format.kind === 'docker') await write('repositories', repositoriesOf(images));
}

/**
 * Writes the layers that are not in the archive yet.
 * @param written by their diff ids, those that are
 */
async function writeLayers(
  dataRoot: string,
  image: Image,
  sink: ByteSink,
  compression: Compression,
  written: Map<string, LayerBlob>,
): Promise<LayerBlob[]> {
  const blobs: LayerBlob[] = [];
  for (const chainId of image.layers) {
    const layer = findLayer(dataRoot, chainId);
    if (layer === undefined)
      throw new TinyrunError('ARCHIVE', `save image ${image.id}: layer ${chainId} is missing`);
    const { diffId } = layer;
    if (!written.has(diffId))
      await withPackedLayer(dataRoot, layer, compression, async (blob, write) => {
        await writeHeader(sink, pathOf(blob.digest), blob.size);
        await write(sink);
        await sink.write(paddingOf(blob.size));
        written.set(diffId, blob);
      });
    blobs.push(written.get(diffId)!);
  }
  return blobs;
}

async function writeBlob(sink: ByteSink, { bytes, digest }: Blob, written: Set<string>): Promise<void> {
  if (written.has(digest)) return;
  written.add(digest);
  await writeEntry(sink, pathOf(digest), bytes);
}

/** A file, or a directory. Times are those of 1970, so that the same images give the same archive. */
async function writeEntry(sink: ByteSink, name: string, bytes: Uint8Array | undefined): Promise<void> {
  await writeHeader(sink, name, bytes?.length);
  if (bytes === undefined) return;
  await sink.write(bytes);
  await sink.write(paddingOf(bytes.length));
}

async function writeHeader(sink: ByteSink, name: string, size: number | undefined): Promise<void> {
  const { header } = encodeHeader({
    name,
    type: size === undefined ? 'directory' : 'file',
    mode: size === undefined ? 0o755 : 0o644,
    size: size ?? 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    ...{ uid: 0, gid: 0, link: '', major: 0, minor: 0, xattrs: [], regions: undefined },
  });
  await sink.write(header);
}

const paddingOf = (size: number): Uint8Array => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

const OCI = 'application/vnd.oci.image.';

const manifestOf = (config: Blob, layers: readonly LayerBlob[]): object => ({
  schemaVersion: 2,
  mediaType: `${OCI}manifest.v1+json`,
  config: { mediaType: `${OCI}config.v1+json`, digest: config.digest, size: config.bytes.length },
  layers,
});

/** An entry for each name of an image, as Docker writes it; one without annotations where there is none. */
function indexOf(images: readonly Saved[], manifests: readonly Blob[], format: SaveFormat): object {
  const entries = images.flatMap(({ image, tags }, i) => {
    const { bytes, digest } = manifests[i]!;
    const { architecture, os, variant } = image.config;
    const platform = { architecture, os, ...(variant ? { variant } : {}) };
    const descriptor = { mediaType: `${OCI}manifest.v1+json`, digest, size: bytes.length, platform };
    return tags.length === 0
      ? [descriptor]
      : tags.map((tag) => ({ ...descriptor, annotations: annotationsOf(image, tag, format) }));
  });
  return { schemaVersion: 2, mediaType: `${OCI}index.v1+json`, manifests: entries };
}

/** Podman takes the reference for the whole name; Docker writes the tag alone. */
function annotationsOf(image: Image, name: string, format: SaveFormat): Record<string, string> {
  const { repository, tag = '' } = parseReference(name);
  return {
    'io.containerd.image.name': `${repository}:${tag}`,
    'org.opencontainers.image.created': new Date(createdAt(image)).toISOString(),
    'org.opencontainers.image.ref.name': format.kind === 'oci' ? `${repository}:${tag}` : tag,
  };
}

const dockerManifest = ({ image, tags }: Saved): object => ({
  Config: pathOf(image.id),
  RepoTags: tags.length === 0 ? null : tags,
  Layers: image.config.rootfs.diff_ids.map(pathOf),
});

/** What older programs read: the topmost layer of each name. */
function repositoriesOf(images: readonly Saved[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, tags } of images)
    for (const name of tags) {
      const { familiarRepository, tag = '' } = parseReference(name);
      const top = image.config.rootfs.diff_ids.at(-1)?.replace('sha256:', '') ?? '';
      repositories[familiarRepository] = { ...repositories[familiarRepository], [tag]: top };
    }
  return repositories;
}
