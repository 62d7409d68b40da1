// What is on the disk, and how much of it nothing needs: images, containers, volumes. Each layer counts once.

import { hasProcess } from '../container/status.ts';
import { layerUses } from '../image/sizes.ts';
import { type Image, listImages } from '../image/store.ts';
import type { Log } from '../runtime/log.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { listVolumes } from '../volume/store.ts';
import { usageNow } from '../volume/usage.ts';
import { listUses, usersByVolume } from '../volume/uses.ts';
import type { Volume } from '../volume/volume.ts';
import { type ListedContainer, listAll } from './containers.ts';
import { sizesOf } from './sizes.ts';

/** A kind of thing: how many there are, how many are in use, and bytes. */
export interface Total {
  count: number;
  active: number;
  size: number;
  /** Bytes that would be free if all that is not in use went. */
  reclaimable: number;
}

export interface ImageUsage {
  image: Image;
  size: number;
  /** Bytes of layers that other images have, too. */
  shared: number;
  containers: number;
}

export interface ContainerUsage {
  container: ListedContainer;
  /** Bytes of its own layer. */
  size: number;
  volumes: number;
}

export interface VolumeUsage {
  volume: Volume;
  /** undefined: its data is not on this host at the moment. */
  size: number | undefined;
  /** Containers that use it. */
  links: number;
}

export interface DiskUsage {
  images: Total & { list: ImageUsage[] };
  containers: Total & { list: ContainerUsage[] };
  volumes: Total & { list: VolumeUsage[] };
}

/**
 * Looks at all images, containers and volumes; the files of the last two are counted one by one.
 * @throws SystemError
 */
export async function diskUsage(
  roots: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  log: Log,
): Promise<DiskUsage> {
  const containers = await listAll(roots, true, log);
  return {
    images: imageUsage(roots.dataRoot, containers),
    containers: containerUsage(roots.dataRoot, containers),
    volumes: await volumeUsage(roots.dataRoot, log),
  };
}

const sum = (sizes: readonly (number | undefined)[]): number =>
  sizes.reduce<number>((all, size) => all + (size ?? 0), 0);

function imageUsage(dataRoot: string, containers: readonly ListedContainer[]): DiskUsage['images'] {
  const images = listImages(dataRoot);
  const layers = layerUses(dataRoot, images);
  const containersOf = ({ id }: Image): number => containers.filter(({ imageId }) => imageId === id).length;
  const list = images.map((image) => {
    const own = image.layers.map((chainId) => layers.get(chainId)!);
    const shared = own.filter((layer) => layer.images.length > 1);
    const sizes = { size: sum(own.map(({ size }) => size)), shared: sum(shared.map(({ size }) => size)) };
    return { image, ...sizes, containers: containersOf(image) };
  });
  const all = [...layers.values()];
  const unused = all.filter((layer) => layer.images.every((image) => containersOf(image) === 0));
  return {
    list,
    count: list.length,
    active: list.filter((one) => one.containers > 0).length,
    size: sum(all.map(({ size }) => size)),
    reclaimable: sum(unused.map(({ size }) => size)),
  };
}

function containerUsage(dataRoot: string, containers: readonly ListedContainer[]): DiskUsage['containers'] {
  const uses = listUses(dataRoot);
  const isActive = ({ state }: ListedContainer): boolean => hasProcess(state);
  const list = containers.map((container) => ({
    container,
    size: sizesOf(dataRoot, container.id, container.record?.imageId).own,
    volumes: uses.get(container.id)?.mounts.filter(({ point }) => point.Type === 'volume').length ?? 0,
  }));
  return {
    list,
    count: list.length,
    active: containers.filter(isActive).length,
    size: sum(list.map(({ size }) => size)),
    reclaimable: sum(list.filter(({ container }) => !isActive(container)).map(({ size }) => size)),
  };
}

async function volumeUsage(dataRoot: string, log: Log): Promise<DiskUsage['volumes']> {
  const users = usersByVolume(dataRoot);
  const list: VolumeUsage[] = [];
  const volumes = await listVolumes(dataRoot, ({ error }) =>
    log.warn(error instanceof Error ? error.message : String(error)),
  );
  for (const volume of volumes)
    list.push({
      volume,
      size: (await usageNow(dataRoot, volume))?.bytes,
      links: users.get(volume.name)?.length ?? 0,
    });
  return {
    list,
    count: list.length,
    active: list.filter(({ links }) => links > 0).length,
    size: sum(list.map(({ size }) => size)),
    reclaimable: sum(list.filter(({ links }) => links === 0).map(({ size }) => size)),
  };
}
