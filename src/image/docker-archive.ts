// What `docker save` and `podman save` write: manifest.json, which names the files of each image (moby, image/tarexport;
// since Docker 25 the same files are an OCI layout, too).

import { TinyrunError } from '../errors.ts';
import type { ArchivedImage } from './archived.ts';
import { type Blobs, cleanName, readBlob } from './blobs.ts';
import { LARGEST_CONFIG } from './config.ts';
import { type DockerManifest, parseDockerManifests } from './descriptor.ts';
import { type Reference, tryReference } from './reference.ts';

/**
 * The images of a Docker archive.
 * @returns undefined where it is none
 * @throws TinyrunError ARCHIVE where a file is missing, or a name in it is none
 */
export async function readDockerArchive(blobs: Blobs): Promise<ArchivedImage[] | undefined> {
  if (blobs.size('manifest.json') === undefined) return undefined;
  const manifests = parseDockerManifests(await readBlob(blobs, 'manifest.json', LARGEST_CONFIG));
  return manifests?.map((manifest) => toImage(blobs, manifest));
}

function toImage(blobs: Blobs, { config, layers, names }: DockerManifest): ArchivedImage {
  for (const path of [config, ...layers])
    if (blobs.size(path) === undefined)
      throw new TinyrunError('ARCHIVE', `${blobs.name}: ${path} is missing, which manifest.json names`);
  return {
    // The file of a config is called by its digest, which is the image's id.
    config: { path: config, digest: digestInName(config), size: undefined },
    // A layer is checked by its diff id, which the config has.
    layers: layers.map((path) => ({ path, digest: undefined, size: undefined })),
    names: names.map((name) => toName(blobs, name)),
    digest: undefined,
  };
}

/** @throws TinyrunError ARCHIVE where it is none */
function toName(blobs: Blobs, text: string): Reference {
  const name = tryReference(text);
  if (name !== undefined) return name;
  throw new TinyrunError(
    'ARCHIVE',
    `${blobs.name}: ${JSON.stringify(text)} in manifest.json is no name of an image`,
    {
      hint: 'name it on the command line: image import FILE NAME',
    },
  );
}

/** `blobs/sha256/HEX`, `HEX.json` */
function digestInName(path: string): string | undefined {
  const hex = /(?:^|\/)(?:sha256:)?([0-9a-f]{64})(?:\.json)?$/.exec(cleanName(path))?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}
