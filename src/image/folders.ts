// Where images are, and their locks (spec/images.md has the layout, which is Docker's).
//
//   flock on DATA_ROOT/image            held for moments: names and configs appear, change or go
//   flock on DATA_ROOT/image/overlay2   shared by who is about to use layers that nothing names yet: an import, the creation of
//                                       a container; alone by who removes layers that nothing uses
//
// Whoever wants both takes the second one first.

import { close } from '../../native-bindings/libc.ts';
import { lockDirectory, withLock } from '../disk/lock.ts';
import { makeDirectories } from '../disk/write.ts';

/** All that is known of images, but for the layers' files. */
export const imageFolder = (dataRoot: string): string => `${dataRoot}/image/overlay2`;
export const configFolder = (dataRoot: string): string => `${imageFolder(dataRoot)}/imagedb/content/sha256`;
export const metadataFolder = (dataRoot: string): string =>
  `${imageFolder(dataRoot)}/imagedb/metadata/sha256`;

/** Makes the folders that are missing. What is in them is for root alone: images have files with the setuid bit. */
export function makeImageFolders(dataRoot: string): void {
  makeDirectories(dataRoot);
  makeDirectories(configFolder(dataRoot), 0o700);
  makeDirectories(metadataFolder(dataRoot), 0o700);
}

/** Changes names or configs: one process at a time. */
export async function withImagesLocked<T>(dataRoot: string, work: () => T | Promise<T>): Promise<T> {
  makeImageFolders(dataRoot);
  return await withLock(`${dataRoot}/image`, work);
}

/** Does something with layers that nothing uses yet: no one removes any meanwhile. */
export async function keepingLayers<T>(dataRoot: string, work: () => T | Promise<T>): Promise<T> {
  makeImageFolders(dataRoot);
  const lock = lockDirectory(imageFolder(dataRoot), { shared: true });
  try {
    return await work();
  } finally {
    if (lock !== undefined) close(lock);
  }
}

/**
 * Removes layers, unless somebody is about to use some: then they are left to the next one who calls this.
 * @returns whether `work` was called
 */
export async function withLayersAlone(dataRoot: string, work: () => void | Promise<void>): Promise<boolean> {
  makeImageFolders(dataRoot);
  const lock = lockDirectory(imageFolder(dataRoot), { wait: false });
  if (lock === undefined) return false;
  try {
    await work();
    return true;
  } finally {
    close(lock);
  }
}
