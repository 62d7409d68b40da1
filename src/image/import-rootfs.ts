// A tar of a root file system -> an image of one layer, as `docker import`.

import type { DigestedSource } from '../archive/digest.ts';
import { TinyrunError } from '../errors.ts';
import { applyChanges } from './changes.ts';
import type { ImageConfig } from './config.ts';
import type { Platform } from './descriptor.ts';
import { addLayer } from './layer-archive.ts';
import { hostPlatform } from './platform.ts';
import type { Reference } from './reference.ts';
import { createImage, type Image } from './store.ts';

export interface RootfsOptions {
  name: Reference | undefined;
  /** Where it comes from, for the history. */
  from: string;
  /** Dockerfile instructions. */
  changes: readonly string[];
  /** Comment in the history. */
  message: string | undefined;
  platform: Platform | undefined;
  /** Is told the name of each entry before it is unpacked. */
  onEntry?: ((name: string) => void) | undefined;
}

/**
 * Makes an image of a root file system. Call it inside of keepingLayers (folders.ts).
 * @param tar uncompressed
 * @throws TinyrunError ARCHIVE; USAGE for a wrong change, or another system's platform
 */
export async function importRootfs(
  dataRoot: string,
  tar: DigestedSource,
  { name, from, changes, message, platform, onEntry }: RootfsOptions,
): Promise<Image> {
  const config = applyChanges({}, changes);
  const { os, architecture, variant } = platform ?? hostPlatform();
  if (os !== 'linux')
    throw new TinyrunError('USAGE', `--platform ${os}/${architecture}: operating system is not supported`, {
      hint: 'containers are Linux here: linux/amd64, linux/arm64',
    });
  const layer = await addLayer(dataRoot, undefined, tar, { onEntry });
  const created = new Date().toISOString();
  const image: ImageConfig = {
    created,
    architecture,
    ...(variant ? { variant } : {}),
    os,
    config,
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created, comment: message ?? `Imported from ${from}` }],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(image));
  return await createImage(dataRoot, bytes, { names: name === undefined ? [] : [name] });
}
