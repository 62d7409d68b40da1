// The JSON documents of an image archive: Docker's manifest.json, an OCI layout's index and manifests (OCI image-spec
// descriptor.md, image-index.md, manifest.md). They are a stranger's: read within bounds, and every field checked.

import { TinyrunError } from '../errors.ts';
import { Checker, UINT64 } from '../oci/checker.ts';
import { type Json, parseJsonObject } from '../oci/json.ts';
import { decodeJson, MOST_LAYERS } from './config.ts';
import { isDigest } from './reference.ts';

export interface Platform {
  os: string;
  architecture: string;
  variant?: string | undefined;
}

export interface Descriptor {
  mediaType: string;
  /** `sha256:HEX` */
  digest: string;
  /** Bytes. */
  size: number;
  platform: Platform | undefined;
  annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

/** An entry of Docker's manifest.json: paths in the archive. */
export interface DockerManifest {
  config: string;
  /** The base first. */
  layers: string[];
  names: string[];
}

const OCI = 'application/vnd.oci.image.';
const DOCKER = 'application/vnd.docker.';

const INDEXES = [`${OCI}index.v1+json`, `${DOCKER}distribution.manifest.list.v2+json`];
const MANIFESTS = [`${OCI}manifest.v1+json`, `${DOCKER}distribution.manifest.v2+json`];
const CONFIGS = [`${OCI}config.v1+json`, `${DOCKER}container.image.v1+json`];
const LAYERS = [
  ...['', '+gzip', '+zstd'].map((how) => `${OCI}layer.v1.tar${how}`),
  ...['', '.gzip', '.zstd'].map((how) => `${DOCKER}image.rootfs.diff.tar${how}`),
];
/** Layers that may not be handed on, and lie elsewhere: none has been made for years. */
const FOREIGN = /layer\.nondistributable\.v1\.tar|image\.rootfs\.foreign\.diff\.tar/;

/** Of an index. */
const MOST_MANIFESTS = 1000;

/** Whether a descriptor leads to a list of images, not to one. */
export const isIndex = ({ mediaType }: Descriptor): boolean => INDEXES.includes(mediaType);

const wrong = (name: string, message: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `${name}: ${message}`);

/** Throws what a checker has found. */
function assertNone(checker: Checker, name: string): void {
  const [problem] = checker.problems;
  if (problem !== undefined) throw wrong(name, `${problem.pointer}: ${problem.message}`);
}

/**
 * Reads an index: that of a layout, or one that it leads to.
 * @param name how messages call it
 * @throws TinyrunError ARCHIVE, CONFIG
 */
export function parseIndex(bytes: Uint8Array, name: string): Descriptor[] {
  const json = parseJsonObject(decodeJson(bytes, name), name);
  // The same bytes as an index and as a manifest would be two images (CVE-2021-41190).
  if ('layers' in json || 'config' in json) throw wrong(name, 'it is an index and a manifest at once');
  assertSchema(json, name, INDEXES);
  const checker = new Checker();
  checker.required(json, '', 'manifests');
  const list = descriptorsOf(checker, json, 'manifests');
  assertNone(checker, name);
  if (list.length > MOST_MANIFESTS)
    throw wrong(name, `it has ${list.length} manifests, more than ${MOST_MANIFESTS}`);
  return list;
}

/**
 * Reads a manifest, and checks that it is of an image that can be unpacked here.
 * @throws TinyrunError ARCHIVE, CONFIG
 */
export function parseManifest(bytes: Uint8Array, name: string): Manifest {
  const json = parseJsonObject(decodeJson(bytes, name), name);
  if ('manifests' in json) throw wrong(name, 'it is a manifest and an index at once');
  assertSchema(json, name, MANIFESTS);
  const checker = new Checker();
  for (const key of ['config', 'layers']) checker.required(json, '', key);
  const config = checker.object(json, '', 'config');
  const parsed = config === undefined ? undefined : toDescriptor(checker, config, '/config');
  const layers = descriptorsOf(checker, json, 'layers');
  assertNone(checker, name);
  if (parsed === undefined) throw wrong(name, '/config is missing');
  assertImage(name, parsed, layers);
  return { config: parsed, layers };
}

function assertImage(name: string, config: Descriptor, layers: readonly Descriptor[]): void {
  if (!CONFIGS.includes(config.mediaType))
    throw wrong(name, `it is no image: its config is of media type ${JSON.stringify(config.mediaType)}`);
  if (layers.length > MOST_LAYERS)
    throw wrong(name, `it has ${layers.length} layers, more than ${MOST_LAYERS}`);
  for (const { mediaType, digest } of layers) {
    if (FOREIGN.test(mediaType))
      throw wrong(
        name,
        `layer ${digest} is foreign (${mediaType}): it is not in the archive, and not fetched`,
      );
    if (!LAYERS.includes(mediaType))
      throw wrong(
        name,
        `layer ${digest} has the media type ${JSON.stringify(mediaType)}, which is not supported`,
      );
  }
}

function assertSchema(json: Json, name: string, mediaTypes: readonly string[]): void {
  const { schemaVersion, mediaType } = json;
  if (schemaVersion !== 2)
    throw wrong(name, `schema version ${JSON.stringify(schemaVersion)} is not supported, only 2`);
  if (mediaType !== undefined && !mediaTypes.includes(String(mediaType)))
    throw wrong(name, `media type ${JSON.stringify(mediaType)} is not supported here`);
}

function descriptorsOf(checker: Checker, json: Json, key: string): Descriptor[] {
  const list: Descriptor[] = [];
  checker.objects(json, '', key, (item, at) => {
    const descriptor = toDescriptor(checker, item, at);
    if (descriptor !== undefined) list.push(descriptor);
  });
  return list;
}

function toDescriptor(checker: Checker, json: Json, at: string): Descriptor | undefined {
  for (const key of ['mediaType', 'digest', 'size']) checker.required(json, at, key);
  const mediaType = checker.string(json, at, 'mediaType');
  const digest = checker.string(json, at, 'digest');
  const size = checker.integer(json, at, 'size', UINT64);
  const annotations = Object.fromEntries(checker.stringMap(json, at, 'annotations'));
  const platform = toPlatform(checker, json, at);
  if (mediaType === undefined || digest === undefined || size === undefined) return undefined;
  if (!isDigest(digest)) checker.fail(`${at}/digest`, `${JSON.stringify(digest)} is no sha256 digest`);
  return { mediaType, digest, size: Number(size), platform, annotations };
}

function toPlatform(checker: Checker, json: Json, at: string): Platform | undefined {
  const platform = checker.object(json, at, 'platform');
  if (platform === undefined) return undefined;
  const [os, architecture, variant] = ['os', 'architecture', 'variant'].map((key) =>
    checker.string(platform, `${at}/platform`, key),
  );
  return { os: os ?? '', architecture: architecture ?? '', variant };
}

/**
 * Reads Docker's manifest.json.
 * @returns undefined where it is something else of that name: a file of a root file system
 * @throws TinyrunError ARCHIVE, CONFIG
 */
export function parseDockerManifests(bytes: Uint8Array): DockerManifest[] | undefined {
  const name = 'manifest.json';
  let list: unknown;
  try {
    list = JSON.parse(decodeJson(bytes, name));
  } catch {
    return undefined;
  }
  const isImage = (item: unknown): boolean =>
    typeof item === 'object' && item !== null && 'Config' in item && 'Layers' in item;
  if (!Array.isArray(list) || list.length === 0 || !list.every(isImage)) return undefined;
  const checker = new Checker();
  const images: DockerManifest[] = [];
  checker.objects({ list }, '', 'list', (item, at) => {
    checker.required(item, at, 'Config');
    images.push({
      config: checker.string(item, at, 'Config') ?? '',
      layers: [...checker.strings(item, at, 'Layers')],
      names: [...checker.strings(item, at, 'RepoTags')],
    });
  });
  assertNone(checker, name);
  const most = Math.max(...images.map(({ layers }) => layers.length));
  if (most > MOST_LAYERS) throw wrong(name, `an image has ${most} layers, more than ${MOST_LAYERS}`);
  return images;
}
