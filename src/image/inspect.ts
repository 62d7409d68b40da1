// All that is known of an image, under the names that Docker's `image inspect` has for it.

import type { ImageDefaults } from './config.ts';
import { findLayer, layersOf } from './layers.ts';
import { imageSize } from './sizes.ts';
import { type Image, readMetadata } from './store.ts';

export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created: string;
  Author: string;
  Config: Config;
  Architecture: string;
  Variant?: string;
  Os: string;
  /** Bytes of all layers. */
  Size: number;
  GraphDriver: { Name: 'overlay2'; Data: Record<string, string> };
  RootFS: { Type: 'layers'; Layers: string[] };
  Metadata: { LastTagTime: string };
}

/** Go's zero time, which Docker shows where there is none. */
const NEVER = '0001-01-01T00:00:00Z';

type Config = { [Field in keyof ImageDefaults]: ImageDefaults[Field] | undefined };

/** What scripts ask for may be missing, which JSON leaves out, and is no mistake in a template. */
const NO_CONFIG: Config = {
  ...{ User: undefined, ExposedPorts: undefined, Env: undefined, Entrypoint: undefined, Cmd: undefined },
  ...{
    Volumes: undefined,
    WorkingDir: undefined,
    Labels: undefined,
    StopSignal: undefined,
    OnBuild: undefined,
  },
};

/**
 * An image under Docker's names.
 * @throws TinyrunError ARCHIVE where a layer of it is damaged
 */
export function inspectImage(dataRoot: string, image: Image): ImageInspect {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.digests,
    Parent: readMetadata(dataRoot, image.id, 'parent') ?? '',
    Comment: config.comment ?? config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? NEVER,
    Author: config.author ?? '',
    Config: { ...NO_CONFIG, ...config.config },
    Architecture: config.architecture,
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os,
    Size: imageSize(dataRoot, image),
    GraphDriver: { Name: 'overlay2', Data: driverData(dataRoot, image) },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: readMetadata(dataRoot, image.id, 'lastUpdated') ?? NEVER },
  };
}

/** The directories of the topmost layer, and those of the ones below it. */
function driverData(dataRoot: string, { layers }: Image): Record<string, string> {
  const top = layers.at(-1);
  if (top === undefined || findLayer(dataRoot, top) === undefined) return {};
  const [own, ...below] = layersOf(dataRoot, top)
    .map(({ cacheId }) => `${dataRoot}/overlay2/${cacheId}`)
    .reverse();
  return {
    ...(below.length === 0 ? {} : { LowerDir: below.map((folder) => `${folder}/diff`).join(':') }),
    MergedDir: `${own}/merged`,
    UpperDir: `${own}/diff`,
    WorkDir: `${own}/work`,
  };
}
