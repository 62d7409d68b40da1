// All that is known of a volume, under the names that Docker's `volume inspect` has for it.

import { interruptedImports } from './interrupted.ts';
import type { Volume } from './volume.ts';

/** A volume under the names that Docker's `volume inspect` has for it. */
export function inspectVolume(dataRoot: string, volume: Volume): Record<string, unknown> {
  const status = statusOf(dataRoot, volume);
  return {
    CreatedAt: volume.createdAt,
    Driver: volume.driver,
    Labels: volume.labels,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: volume.options,
    Scope: volume.scope,
    ...(status === undefined ? {} : { Status: status }),
  };
}

/** What the driver says of it, and the imports that were not finished. */
function statusOf(dataRoot: string, volume: Volume): Volume['status'] {
  const interrupted = interruptedImports(dataRoot, volume.name);
  if (interrupted.length === 0) return volume.status;
  const imports = interrupted.map(
    ({ from, startedAt }) => `import of ${from} at ${startedAt} was not finished`,
  );
  return { ...volume.status, Interrupted: imports };
}
