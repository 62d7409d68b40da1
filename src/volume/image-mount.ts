// --mount type=image: the merged layers of an image, read-only.

import { TinyrunError } from '../errors.ts';
import type { FlagMount } from '../plan/input.ts';
import type { VolumeMount } from './mount.ts';
import type { MountsAt } from './prepare.ts';

/** @throws TinyrunError UNSUPPORTED */
export function openImage({ source, destination }: VolumeMount, _options: MountsAt): FlagMount {
  throw new TinyrunError(
    'UNSUPPORTED',
    `mount image ${source} at ${destination}: this version of tinyrun has no image store`,
    { hint: `unpack the image and bind the directory: --volume /srv/image:${destination}:ro` },
  );
}
