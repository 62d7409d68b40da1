// The values of -v, --mount and --tmpfs -> mounts for the planner.

import type { FlagMount } from '../plan/input.ts';
import { parseTmpfsFlag, parseVolumeFlag } from '../volume/flag.ts';
import { parseMountFlag } from '../volume/mount-flag.ts';
import { toOciMounts } from '../volume/oci-mounts.ts';

/** Throws TinyrunError USAGE in Docker's words. */
export function parseFlagMounts(
  volumes: readonly string[],
  mounts: readonly string[],
  tmpfs: readonly string[],
  cwd: string,
): FlagMount[] {
  return toOciMounts([
    ...volumes.map((text) => parseVolumeFlag(text, cwd)),
    ...mounts.map((text) => parseMountFlag(text, cwd)),
    ...tmpfs.map(parseTmpfsFlag),
  ]);
}
