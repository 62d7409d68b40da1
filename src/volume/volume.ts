// A volume as it is shown: its record, and what its driver says of it.

import { volumesOf } from './directory.ts';
import { driverOf, type VolumeFacts, type VolumePlace, type VolumeRecord } from './driver.ts';
import type { PluginVolume } from './drivers/plugin.ts';
import { ANONYMOUS_LABEL } from './names.ts';

export interface Volume extends VolumeRecord {
  name: string;
  /** Where its data is on this host; empty where its driver says so only when it mounts. */
  mountpoint: string;
  scope: 'local' | 'global';
  /** Nobody named it: it may go when nobody uses it. */
  anonymous: boolean;
  /** What else its driver tells. */
  status?: Readonly<Record<string, unknown>>;
}

/** Where a volume is, as its driver is told. */
export const placeOf = (dataRoot: string, name: string): VolumePlace => ({
  ...{ dataRoot, name },
  directory: `${volumesOf(dataRoot)}/${name}`,
});

/**
 * What is shown of a volume of the store.
 * @param facts what its driver has said already
 * @throws TinyrunError where the driver does not know it
 */
export async function describe(
  dataRoot: string,
  name: string,
  record: VolumeRecord,
  facts?: VolumeFacts,
): Promise<Volume> {
  const driver = await driverOf(record.driver);
  return toVolume(
    name,
    record,
    facts ?? (await driver.get(placeOf(dataRoot, name), record)),
    await driver.scope(),
  );
}

export const toVolume = (
  name: string,
  record: VolumeRecord,
  { mountpoint, status }: VolumeFacts,
  scope: Volume['scope'],
): Volume => ({
  driver: record.driver,
  createdAt: record.createdAt,
  labels: record.labels,
  options: record.options,
  ...{ name, mountpoint, scope },
  anonymous: record.labels !== null && Object.hasOwn(record.labels, ANONYMOUS_LABEL),
  ...(status === undefined ? {} : { status }),
});

/** What is shown of a volume that a plugin has, and nobody here has made. */
export const describeForeign = (dataRoot: string, volume: PluginVolume): Promise<Volume> =>
  describe(
    dataRoot,
    volume.name,
    { driver: volume.driver, createdAt: '', labels: null, options: null },
    volume,
  );

/** Whether there are any plugins: if not, nothing of them need be loaded. */
export const hasPlugins = async (): Promise<boolean> =>
  (await import('./drivers/plugin-address.ts')).listPlugins().length > 0;

/** The volume of this name that a plugin has, but not the store. */
export async function findForeign(name: string): Promise<PluginVolume | undefined> {
  if (!(await hasPlugins())) return undefined;
  return (await import('./drivers/plugin.ts')).findPluginVolume(name);
}
