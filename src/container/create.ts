// `create` of an image: a record, a name, a layer. No process, no mount: what is made is made on disk, and `start` uses it. The
// order is that of repair (unfinished.ts): a note, the directory and the name, the layer, the record last.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import { lockDirectory, withLock } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import { createContainerLayer } from '../image/container-layer.ts';
import { keepingLayers } from '../image/folders.ts';
import { type Image, resolveImage } from '../image/store.ts';
import { settleLayers } from '../image/unsynced.ts';
import { containerDirectory } from '../oci/state.ts';
import type { HostFacts } from '../plan/host.ts';
import { warnOfDriver } from '../runtime/mount-requests.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import type { VolumeMount } from '../volume/mount.ts';
import type { HostConfig } from './config.ts';
import { type ImageVolumes, withoutVolumes } from './image-volumes.ts';
import { fillInitLayer } from './init-layer.ts';
import { type ConfigFlags, mergeConfig } from './merge-config.ts';
import { assertContainerName, generateName, isNamed, newContainerId, takeName } from './names.ts';
import { removeParts } from './parts.ts';
import { type ContainerRecord, makeContainersDirectory, writeRecord } from './record.ts';
import { forgetUnfinished, noteUnfinished, removeUnfinished } from './unfinished.ts';
import { assertMounts, makeVolumes, requestsOf } from './volumes.ts';

/** What `run IMAGE` and `create IMAGE` ask for. */
export interface CreateOptions {
  /** undefined: one is made up. */
  name: string | undefined;
  flags: ConfigFlags;
  hostConfig: HostConfig;
  /** Absolute; must not be there yet. */
  cidFile: string | undefined;
  /** `OS/ARCHITECTURE[/VARIANT]` that the image must be for. */
  platform: string | undefined;
  imageVolumes: ImageVolumes;
}

/**
 * A container that was just made, still locked: close `lock` when it need not be any more. One that is to go at its end is
 * still noted as unfinished: it is to be started, or forgetUnfinished is to be called.
 */
export interface Created {
  record: ContainerRecord;
  lock: number;
}

/**
 * Makes a container of an image.
 * @param host its name is that of a container that stays in its network; relative paths start at its cwd
 * @throws TinyrunError NOT_FOUND for the image, EXISTS for the name, USAGE
 */
export async function createContainer(
  global: GlobalOptions,
  options: CreateOptions,
  host: Pick<HostFacts, 'hostname' | 'cwd' | 'arch'>,
): Promise<Created> {
  const { dataRoot } = global;
  const { name, cidFile } = options;
  if (name !== undefined) assertContainerName(name);
  const { Mounts, VolumeDriver } = options.hostConfig;
  warnOfDriver(global, { mounts: Mounts, volumeDriver: VolumeDriver || undefined });
  return await keepingLayers(dataRoot, async () => {
    const id = newContainerId();
    const { image, requests, draft } = draftRecord(dataRoot, options, host, id);
    await settleLayers(dataRoot, image.layers.at(-1));
    await assertMounts(dataRoot, image, requests);
    if (cidFile !== undefined) writeCidFile(cidFile, id);
    const taken = await takePlace(global, id, name);
    const record = { ...draft, name: taken.name };
    try {
      await fill(global, record, image, requests);
    } catch (error) {
      await removeParts(dataRoot, id, record.name, true);
      forgetUnfinished(dataRoot, id);
      close(taken.lock);
      throw error;
    }
    return { record, lock: taken.lock };
  });
}

/**
 * The record of a container that is not made yet, without a name if none was given; its image, and what it is to mount.
 * @throws TinyrunError NOT_FOUND for the image; USAGE for the flags, and where the image is for another machine
 */
export function draftRecord(
  dataRoot: string,
  { name = '', flags, hostConfig: asked, cidFile, platform, imageVolumes }: CreateOptions,
  host: Pick<HostFacts, 'hostname' | 'cwd' | 'arch'>,
  id: string,
): { image: Image; requests: VolumeMount[]; draft: ContainerRecord } {
  const requestsAsked = requestsOf(asked, host.cwd); // a mistaken flag is told before a missing image
  const found = resolveImage(dataRoot, flags.image);
  assertPlatform(found, platform, host.arch);
  const { image, hostConfig } = withoutVolumes(found, asked, imageVolumes, host.cwd);
  const requests = hostConfig === asked ? requestsAsked : requestsOf(hostConfig, host.cwd);
  const hostname = hostConfig.NetworkMode === 'host' ? host.hostname : id.slice(0, 12);
  const config = mergeConfig(image.config.config ?? {}, flags, hostname);
  const volumes = { ...config.Volumes, ...anonymousVolumes(requests) };
  const draft: ContainerRecord = {
    id,
    name,
    created: new Date().toISOString(),
    image: flags.image,
    imageId: image.id,
    chainId: image.layers.at(-1),
    config: { ...config, Volumes: Object.keys(volumes).length === 0 ? null : volumes },
    hostConfig: { ...hostConfig, ContainerIDFile: cidFile ?? '' },
  };
  return { image, requests, draft };
}

/** `-v /path`: as Docker, a volume that its image might have asked for. */
const anonymousVolumes = (requests: readonly VolumeMount[]): Record<string, object> =>
  Object.fromEntries(
    requests
      .filter(
        ({ type, source, flag }) => type === 'volume' && source === undefined && flag.startsWith('--volume'),
      )
      .map(({ destination }) => [destination, {}]),
  );

/** The directory and the name, in one moment: of two callers that want one name, one gets it and the other leaves nothing. */
async function takePlace(
  { root, dataRoot }: GlobalOptions,
  id: string,
  wanted: string | undefined,
): Promise<{ name: string; lock: number }> {
  return await withLock(makeContainersDirectory(dataRoot), async () => {
    await removeUnfinished(root, dataRoot);
    const name = wanted ?? freeName(dataRoot);
    noteUnfinished(dataRoot, id, name, true);
    try {
      const directory = containerDirectory(dataRoot, id);
      const made = rawSyscall('mkdirat', AT_FDCWD, directory, 0o700);
      if (made < 0) throw new SystemError(`make directory ${directory}`, -made);
      takeName(dataRoot, name, id);
      return { name, lock: lockDirectory(directory) };
    } catch (error) {
      await removeParts(dataRoot, id, name, false);
      forgetUnfinished(dataRoot, id);
      throw error;
    }
  });
}

/** A name that nobody has; the lock is held, so nobody takes it meanwhile. */
function freeName(dataRoot: string): string {
  for (let attempt = 0; ; attempt++) {
    const name = generateName(attempt);
    if (!isNamed(dataRoot, name)) return name;
  }
}

async function fill(
  global: GlobalOptions,
  record: ContainerRecord,
  { config, layers }: Image,
  requests: readonly VolumeMount[],
): Promise<void> {
  const { dataRoot } = global;
  const layer = createContainerLayer(dataRoot, record.id, layers.at(-1), fillInitLayer);
  await makeVolumes(global, record, requests, Object.keys(config.config?.Volumes ?? {}), layer);
  writeRecord(dataRoot, record);
  if (!record.hostConfig.AutoRemove) forgetUnfinished(dataRoot, record.id);
}

/** How images call the machines. */
const MACHINES = { x64: 'amd64', arm64: 'arm64' } as const;

/** A program for another machine would fail at its start, in words that nobody understands. */
function assertPlatform({ config }: Image, wanted: string | undefined, arch: HostFacts['arch']): void {
  const has = `${config.os}/${config.architecture}`;
  const host = `linux/${MACHINES[arch]}`;
  const [os, machine] = (wanted ?? host).split('/');
  const name = wanted === undefined ? "this host's" : `the wanted`;
  if (has !== `${os}/${machine ?? MACHINES[arch]}`)
    throw new TinyrunError(
      'USAGE',
      `the image's platform (${has}) is not ${name} platform (${wanted ?? host})`,
      {
        hint: 'import an image for it',
      },
    );
}

/** Others may wait for this file: it is written at once, and never over another. */
function writeCidFile(path: string, id: string): void {
  if (exists(AT_FDCWD, path))
    throw new TinyrunError(
      'EXISTS',
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_CLOEXEC'), 0o644);
  if (fd < 0) throw new SystemError(`failed to create the container ID file: open ${path}`, -fd);
  try {
    const bytes = new TextEncoder().encode(id);
    const written = rawSyscall('write', fd, bytes, bytes.length);
    if (written !== bytes.length) throw new SystemError(`write ${path}`, written < 0 ? -written : 28);
  } finally {
    close(fd);
  }
}
