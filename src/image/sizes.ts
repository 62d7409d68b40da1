// How much images take: each layer counts once on disk, however many images have it.

import { findLayer } from './layers.ts';
import type { Image } from './store.ts';

export interface LayerUse {
  /** Bytes of its files. */
  size: number;
  /** The images that have it, in the order of the list. */
  images: Image[];
}

/** The layers of all images, by chain id. */
export function layerUses(dataRoot: string, images: readonly Image[]): Map<string, LayerUse> {
  const uses = new Map<string, LayerUse>();
  for (const image of images)
    for (const chainId of image.layers) {
      const use = uses.get(chainId) ?? { size: layerSize(dataRoot, chainId), images: [] };
      uses.set(chainId, { ...use, images: [...use.images, image] });
    }
  return uses;
}

/** Bytes of a layer's files; none where it is not there. */
export const layerSize = (dataRoot: string, chainId: string): number =>
  findLayer(dataRoot, chainId)?.size ?? 0;

/** Bytes of an image's layers, also of those that others have, too. */
export const imageSize = (dataRoot: string, { layers }: Image): number =>
  layers.reduce((sum, chainId) => sum + layerSize(dataRoot, chainId), 0);

/** Bytes of the layers that only this image has. */
export const uniqueSize = ({ layers }: Image, uses: ReadonlyMap<string, LayerUse>): number =>
  layers.reduce((sum, chainId) => {
    const use = uses.get(chainId);
    return use?.images.length === 1 ? sum + use.size : sum;
  }, 0);
