// How much a container takes: its own layer, and its image below it.

import { containerLayer } from '../image/container-layer.ts';
import { imageSize } from '../image/sizes.ts';
import { findImage } from '../image/store.ts';
import { containerDirectory } from '../oci/state.ts';
import { usageOf } from '../volume/usage.ts';

export interface Sizes {
  /** Bytes of what it has written. */
  own: number;
  /** And of its image. */
  whole: number;
}

/**
 * Looks at every file of its own layer.
 * @param imageId undefined: it was made of a bundle
 * @throws SystemError
 */
export function sizesOf(dataRoot: string, id: string, imageId: string | undefined): Sizes {
  const upper =
    imageId === undefined
      ? `${containerDirectory(dataRoot, id)}/upper`
      : containerLayer(dataRoot, id, undefined).upper;
  const own = usageOf(upper)?.bytes ?? 0;
  const image = imageId ? findImage(dataRoot, imageId) : undefined;
  return { own, whole: own + (image === undefined ? 0 : imageSize(dataRoot, image)) };
}
