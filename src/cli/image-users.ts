// Who uses images: containers that are made of one, or mount one, and volumes that are made of one.

import { listContainerRecords } from '../container/record.ts';
import { statusOf } from '../container/status.ts';
import type { ImageUser } from '../image/remove.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { imageDriver, imageVolumes } from '../volume/drivers/image.ts';
import { listUses } from '../volume/uses.ts';
import { placeOf } from '../volume/volume.ts';

/** All who use an image. */
export function imageUsers(global: Pick<GlobalOptions, 'root' | 'dataRoot'>): ImageUser[] {
  const { dataRoot } = global;
  const container = (id: string, name: string, imageId: string): ImageUser => ({
    ...{ kind: 'container', id, name, imageId },
    isRunning: () => ['running', 'paused'].includes(statusOf(global, { id }).status),
  });
  const made = listContainerRecords(dataRoot).map(({ id, name, imageId }) => container(id, name, imageId));
  const mounted = [...listUses(dataRoot)].flatMap(([id, { name = id, mounts }]) =>
    mounts
      .filter(({ point }) => point.Type === 'image')
      .map(({ point }) => container(id, name, point.Source)),
  );
  const volumes = imageVolumes(dataRoot).map(
    ({ name, imageId }): ImageUser => ({
      ...{ kind: 'volume', id: name, name, imageId },
      isRunning: () => imageDriver.isMounted(placeOf(dataRoot, name)),
    }),
  );
  return [...made, ...mounted, ...volumes];
}
