// What a volume driver does. The store keeps the records of all volumes, and asks the driver for what is behind them:
// `local` (a directory, or what mount(2) can mount), `image` (an overlay over an image), and plugins, which are other
// programs (drivers/plugin.ts).

/** What is known of a volume: DATA_ROOT/volumes/NAME/volume.json. */
export interface VolumeRecord {
  driver: string;
  /** RFC 3339, in seconds. */
  createdAt: string;
  labels: Readonly<Record<string, string>> | null;
  /** The driver's own, `-o`. */
  options: Readonly<Record<string, string>> | null;
}

/** Where a driver finds a volume. */
export interface VolumePlace {
  dataRoot: string;
  name: string;
  /** The volume's own directory, absolute: DATA_ROOT/volumes/NAME, or elsewhere while it is made or removed. */
  directory: string;
}

/** What a driver knows of a volume that the store does not. */
export interface VolumeFacts {
  /** Empty where the driver tells it only when it mounts. */
  mountpoint: string;
  status?: Readonly<Record<string, unknown>>;
}

export interface VolumeDriver {
  /** Whether other hosts see the volumes as well. */
  scope(): Promise<'local' | 'global'>;
  /**
   * Checks the options and makes what is behind the volume, in its directory or elsewhere.
   * @throws TinyrunError
   */
  create(place: VolumePlace, options: Readonly<Record<string, string>>): void | Promise<void>;
  /** Removes what it made outside of the volume's directory; that is removed by the store. */
  remove(place: VolumePlace): void | Promise<void>;
  /** Where the volume is on this host, and what else there is to tell. */
  get(place: VolumePlace, record: VolumeRecord): VolumeFacts | Promise<VolumeFacts>;
  /** Whether it must be mounted before it is used. */
  mounts(record: VolumeRecord): boolean;
  /** Whether it may be mounted now. */
  isMounted(place: VolumePlace): boolean;
  /**
   * Mounts it for one more user, if it is not mounted yet.
   * @param holder who uses it: a container's id
   * @param again this holder has it mounted already
   * @returns the directory to bind
   */
  mount(place: VolumePlace, record: VolumeRecord, holder: string, again: boolean): string | Promise<string>;
  /** Takes back the mount of one user; `last`: nobody uses it any more. */
  unmount(place: VolumePlace, record: VolumeRecord, holder: string, last: boolean): void | Promise<void>;
}

/** The driver of this name, loaded when it is needed; a plugin is looked for when it is asked something. */
export async function driverOf(name: string): Promise<VolumeDriver> {
  if (name === 'local') return (await import('./drivers/local.ts')).localDriver;
  if (name === 'image') return (await import('./drivers/image.ts')).imageDriver;
  return (await import('./drivers/plugin.ts')).pluginDriver(name);
}

/** The names of all drivers: ours, and the plugins that can be found. */
export async function listDrivers(): Promise<string[]> {
  const { listPlugins } = await import('./drivers/plugin-address.ts');
  return [...new Set(['local', 'image', ...listPlugins()])];
}
