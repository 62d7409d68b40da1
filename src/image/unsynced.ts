// Whether the files of layers are on the disk. An import does not wait for that, which would take as long as all the rest of
// it; nor do tar(1) and Docker. So a power cut may leave anything of a layer. Each has a mark, until it is known to be safe:
//
//   DATA_ROOT/image/overlay2/unsynced/BOOT/CHAINID       unpacked in this boot of the kernel, and not synced since
//
// One that has the mark of another boot is doubtful: settle.ts unpacks it anew before it is used.

import { close, flag, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { bootId } from '../disk/boot-id.ts';
import { AT_FDCWD, exists, listDirectory, openDirectory } from '../disk/files.ts';
import { errno, statInode } from '../disk/inode.ts';
import { makeDirectories, syncDirectory, writeFileAtomic } from '../disk/write.ts';
import { imageFolder } from './folders.ts';

const marksFolder = (dataRoot: string): string => `${imageFolder(dataRoot)}/unsynced`;
const hexOf = (chainId: string): string => chainId.slice('sha256:'.length);

/**
 * Marks a layer that is about to be there: after a power cut it is not there without its mark. The caller holds the lock of
 * withLayersLocked (layer-folders.ts).
 * @throws SystemError
 */
export function markUnsynced(dataRoot: string, chainId: string): void {
  const folder = `${marksFolder(dataRoot)}/${bootId()}`;
  makeDirectories(folder, 0o700);
  writeFileAtomic(`${folder}/${hexOf(chainId)}`, '', 0o600, false);
  for (const directory of [folder, marksFolder(dataRoot)]) syncDirectory(directory);
}

/** The other boots that there are marks of. */
const otherBoots = (dataRoot: string): string[] => {
  const boots = listDirectory(marksFolder(dataRoot));
  return boots.length === 0 ? [] : boots.filter((boot) => boot !== bootId());
};

/** Whether a layer was unpacked in another boot, and nobody knows what of it was on the disk at its end. */
export const isDoubtful = (dataRoot: string, chainId: string): boolean =>
  otherBoots(dataRoot).some((boot) => exists(AT_FDCWD, `${marksFolder(dataRoot)}/${boot}/${hexOf(chainId)}`));

/**
 * Makes sure that a layer and all below it are whole. Call it before they are mounted, while something keeps them.
 * @param chainId of the topmost; undefined: there are no layers
 * @throws TinyrunError ARCHIVE where one is damaged, NOT_FOUND where one is missing
 */
export async function settleLayers(dataRoot: string, chainId: string | undefined): Promise<void> {
  if (chainId === undefined || otherBoots(dataRoot).length === 0) return; // nearly always no layer is doubtful
  await (await import('./settle.ts')).unpackDoubtful(dataRoot, chainId);
}

/** Takes the marks of other boots from a layer that was unpacked anew. @throws SystemError */
export const clearDoubt = (dataRoot: string, chainId: string): void =>
  unmark(dataRoot, otherBoots(dataRoot), [hexOf(chainId)]);

/** Takes all marks from a layer that is gone. @throws SystemError */
export const forgetMarks = (dataRoot: string, chainId: string): void =>
  unmark(dataRoot, listDirectory(marksFolder(dataRoot)), [hexOf(chainId)]);

function unmark(dataRoot: string, boots: readonly string[], names: readonly string[]): void {
  for (const boot of boots) {
    const folder = `${marksFolder(dataRoot)}/${boot}`;
    for (const name of names) {
      const result = rawSyscall('unlinkat', AT_FDCWD, `${folder}/${name}`, 0);
      if (result < 0 && result !== errno('ENOENT'))
        throw new SystemError(`remove ${folder}/${name}`, -result);
    }
    // Of this boot, somebody may be about to make one.
    if (boot !== bootId()) rawSyscall('unlinkat', AT_FDCWD, folder, flag('AT_REMOVEDIR')); // unless there are others
  }
}

/** By then the kernel has written all by itself (vm.dirty_expire_centisecs is half of it), and there is little to wait for. */
const SETTLED_SECONDS = 60;

/**
 * Syncs what was unpacked some time ago, and takes its marks away. Call it where no layer can go meanwhile (folders.ts).
 * @throws SystemError where the disk fails
 */
export function syncOldLayers(dataRoot: string): void {
  const boot = bootId();
  const folder = `${marksFolder(dataRoot)}/${boot}`;
  const fd = openDirectory(AT_FDCWD, folder);
  if (fd === undefined) return;
  try {
    const { mtime } = statInode(fd, `look at ${folder}`);
    if (Date.now() / 1000 - mtime.seconds < SETTLED_SECONDS) return;
    const names = listDirectory(folder);
    if (names.length === 0) return;
    syscall(`sync ${dataRoot}`, 'syncfs', fd);
    unmark(dataRoot, [boot], names);
  } finally {
    close(fd);
  }
}
