// The containers that images are used by.

import type { ImageUser } from '../image/remove.ts';
import type { GlobalOptions } from '../runtime/options.ts';

/** All containers that were made of an image: there are none yet, since `run` and `create` take bundles only. */
export const imageUsers = (_global: GlobalOptions): ImageUser[] => [];
