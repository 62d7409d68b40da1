// Drivers that are other programs: Docker's volume plugin protocol. The plugin keeps the volumes; the store keeps a record
// of those that were made here, with labels, and who uses them.

import { close, flag, rawSyscall, SystemError, syscall } from '../../../native-bindings/libc.ts';
import { AT_FDCWD, readLink } from '../../disk/files.ts';
import { pathOf } from '../../disk/inode.ts';
import { TinyrunError } from '../../errors.ts';
import type { VolumeDriver, VolumeFacts } from '../driver.ts';
import { listPlugins } from './plugin-address.ts';
import { type Answer, callPlugin } from './plugin-call.ts';

/** A plugin as a driver. */
export const pluginDriver = (plugin: string): VolumeDriver => ({
  scope: () => scopeOf(plugin),
  async create({ name }, options) {
    await callPlugin(plugin, 'VolumeDriver.Create', { Name: name, Opts: options }, `create ${name}`);
  },
  async remove({ name }) {
    await callPlugin(plugin, 'VolumeDriver.Remove', { Name: name }, `remove ${name}`);
  },
  async get({ name }) {
    const { Volume } = await callPlugin(plugin, 'VolumeDriver.Get', { Name: name }, `get ${name}`);
    return toFacts(Volume);
  },
  mounts: () => true,
  isMounted: () => true, // only the plugin knows
  async mount({ name, dataRoot }, _record, holder, again) {
    const body = { Name: name, ID: holder };
    if (again) {
      // A plugin counts by the id, and refuses the same one twice.
      const known = await callPlugin(plugin, 'VolumeDriver.Path', { Name: name }, `mount ${name}`);
      if (known['Mountpoint']) return checkMountpoint(plugin, name, dataRoot, known['Mountpoint']);
    }
    const { Mountpoint } = await callPlugin(plugin, 'VolumeDriver.Mount', body, `mount ${name}`);
    try {
      return checkMountpoint(plugin, name, dataRoot, Mountpoint);
    } catch (error) {
      await callPlugin(plugin, 'VolumeDriver.Unmount', body, `unmount ${name}`);
      throw error;
    }
  },
  async unmount({ name }, _record, holder) {
    await callPlugin(plugin, 'VolumeDriver.Unmount', { Name: name, ID: holder }, `unmount ${name}`);
  },
});

const scopes = new Map<string, Promise<'local' | 'global'>>();

/** Asked once. A plugin need not know the call. */
function scopeOf(plugin: string): Promise<'local' | 'global'> {
  const asked = scopes.get(plugin) ?? askScope(plugin);
  scopes.set(plugin, asked);
  return asked;
}

async function askScope(plugin: string): Promise<'local' | 'global'> {
  const answer = await callPlugin(plugin, 'VolumeDriver.Capabilities', {}, `look at ${plugin}`).catch(
    optional,
  );
  const capabilities: unknown = answer['Capabilities'];
  const isGlobal =
    typeof capabilities === 'object' &&
    capabilities !== null &&
    'Scope' in capabilities &&
    capabilities.Scope === 'global';
  return isGlobal ? 'global' : 'local';
}

/** What a plugin says that does not know a call, or is not there: the volume is shown all the same. */
function optional(error: unknown): Answer {
  if (error instanceof TinyrunError) return {};
  throw error;
}

function toFacts(volume: unknown): VolumeFacts {
  if (typeof volume !== 'object' || volume === null) return { mountpoint: '' };
  const mountpoint = 'Mountpoint' in volume && typeof volume.Mountpoint === 'string' ? volume.Mountpoint : '';
  const status = 'Status' in volume ? volume.Status : undefined;
  return typeof status === 'object' && status !== null && Object.keys(status).length > 0
    ? { mountpoint, status: { ...status } }
    : { mountpoint };
}

/**
 * Looks at where a plugin says that a volume is: it is bound into containers, who may write there.
 * @returns the directory itself, whatever symlinks led there
 * @throws TinyrunError HOST
 */
function checkMountpoint(plugin: string, name: string, dataRoot: string, mountpoint: unknown): string {
  const shown =
    typeof mountpoint === 'string' ? JSON.stringify(mountpoint) : `a value of type ${typeof mountpoint}`;
  const refuse = (why: string): TinyrunError =>
    new TinyrunError('HOST', `mount ${name}: plugin "${plugin}" says that it is at ${shown}: ${why}`, {
      hint: 'a plugin mounts a volume on a directory of its own',
      data: { plugin, volume: name },
    });
  if (typeof mountpoint !== 'string' || mountpoint === '') throw refuse('that is no path');
  if (!mountpoint.startsWith('/') || mountpoint.includes('\0')) throw refuse('that is no absolute path');
  const how = flag('O_PATH', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC');
  const fd = rawSyscall('openat', AT_FDCWD, mountpoint, how, 0);
  if (fd < 0) throw refuse(new SystemError('that is no directory', -fd).message);
  try {
    const real = readLink(AT_FDCWD, pathOf(fd));
    if (real === undefined || real === '/') throw refuse('that is the root of the host');
    const own = realPath(dataRoot);
    if (isBelow(real, own) || isBelow(own, real))
      throw refuse(`tinyrun keeps its own data there (${dataRoot})`);
    return real;
  } finally {
    close(fd);
  }
}

const isBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** Of a directory that is there: the caller may have named it by a symlink. */
function realPath(path: string): string {
  const fd = syscall(`open ${path}`, 'openat', AT_FDCWD, path, flag('O_PATH', 'O_DIRECTORY', 'O_CLOEXEC'), 0);
  try {
    return readLink(AT_FDCWD, pathOf(fd)) ?? path;
  } finally {
    close(fd);
  }
}

/** A volume that a plugin has. */
export interface PluginVolume extends VolumeFacts {
  name: string;
  driver: string;
}

/**
 * The volumes of all plugins, also those that were not made here.
 * @param onProblem told of plugins that do not answer
 */
export async function listPluginVolumes(
  onProblem: (plugin: string, error: unknown) => void,
): Promise<PluginVolume[]> {
  const lists = listPlugins().map(async (driver): Promise<PluginVolume[]> => {
    try {
      const { Volumes } = await callPlugin(driver, 'VolumeDriver.List', {}, `list volumes of ${driver}`);
      return (Array.isArray(Volumes) ? Volumes : []).flatMap((volume) =>
        typeof volume?.Name === 'string' ? [{ ...toFacts(volume), name: volume.Name, driver }] : [],
      );
    } catch (error) {
      onProblem(driver, error);
      return [];
    }
  });
  return (await Promise.all(lists)).flat();
}

/** The volume of this name that a plugin has, if any does. Plugins that do not answer have none. */
export async function findPluginVolume(name: string): Promise<PluginVolume | undefined> {
  const asked = listPlugins().map(async (driver): Promise<PluginVolume | undefined> => {
    const answer = await callPlugin(driver, 'VolumeDriver.Get', { Name: name }, `get ${name}`).catch(
      optional,
    );
    return answer['Volume'] ? { ...toFacts(answer['Volume']), name, driver } : undefined;
  });
  return (await Promise.all(asked)).find((volume) => volume !== undefined);
}
