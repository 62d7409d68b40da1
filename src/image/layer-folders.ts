// Where layers are, in the form that Docker's overlay2 driver has on disk (spec/images.md), and who may change what:
//
//   flock on DATA_ROOT/overlay2          held for moments: layers appear, are taken away, leftovers are looked for
//   flock on DATA_ROOT/overlay2/.tmp-ID  held by who is making that layer, or removing it
//
// A layer comes to be as overlay2/.tmp-ID, with its entry of layerdb in it; is renamed to overlay2/ID; and is there once its
// entry has been renamed to its place. It goes the same way back. So what begins with `.tmp-` and is unlocked, or has its
// entry with it while nobody holds the lock, is the leftover of a process that was killed: the next one removes it.

import { close, flag, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import {
  AT_FDCWD,
  DIRECTORY,
  exists,
  listDirectory,
  openDirectory,
  readDirectory,
  readSmall,
  removeTree,
} from '../disk/files.ts';
import { errno, statInode } from '../disk/inode.ts';
import { lockDirectory, lockOpen } from '../disk/lock.ts';
import { spreadDirectories } from '../disk/spread.ts';
import { makeDirectories, writeFileAtomic } from '../disk/write.ts';
import { imageFolder, makeImageFolders } from './folders.ts';

/** DATA_ROOT/overlay2: the files of layers. */
export const overlayFolder = (dataRoot: string): string => `${dataRoot}/overlay2`;
export const layerdbFolder = (dataRoot: string): string => `${imageFolder(dataRoot)}/layerdb/sha256`;

/** Layer directories: the driver reads, everybody else is kept out. */
const FOLDER_MODE = 0o710;
const TEMPORARY = '.tmp-';
/** The name of a layer's entry of layerdb while it is in the layer's own directory. */
export const ENTRY = 'layerdb';
const ENTRY_NAME = /^[0-9a-f]{64}$/;

/** Makes the folders that are missing. */
function makeLayerFolders(dataRoot: string): void {
  makeImageFolders(dataRoot);
  if (makeDirectories(overlayFolder(dataRoot), FOLDER_MODE)) spreadDirectories(overlayFolder(dataRoot));
  makeDirectories(`${overlayFolder(dataRoot)}/l`, FOLDER_MODE);
  makeDirectories(layerdbFolder(dataRoot), 0o700);
}

/**
 * Does something while layers neither appear nor go. It must be short.
 * @throws what `work` throws
 */
export function withLayersLocked<T>(dataRoot: string, work: () => T): T {
  makeLayerFolders(dataRoot);
  const lock = lockDirectory(overlayFolder(dataRoot));
  try {
    return work();
  } finally {
    close(lock);
  }
}

/** A layer's directory that is being made or removed: nobody sees it, and its lock is held. */
export interface Draft {
  dataRoot: string;
  /** What it is called when it is done. */
  name: string;
  /** Where it is meanwhile. */
  path: string;
  lock: number;
}

/**
 * Begins a layer's directory, with its short name in it and nothing else. The caller holds the lock of withLayersLocked.
 * @throws SystemError
 */
export function beginDraft(dataRoot: string, name: string): Draft {
  const path = `${overlayFolder(dataRoot)}/${TEMPORARY}${name}`;
  syscall(`make ${path}`, 'mkdirat', AT_FDCWD, path, FOLDER_MODE);
  const lock = lockDirectory(path);
  // Not synced: of an image it is with the layer's other names; of a container nothing but its removal reads it.
  writeFileAtomic(`${path}/link`, newLink(), 0o644, false);
  return { dataRoot, name, path, lock };
}

/** Ends it: releases the lock, and removes the directory, unless publishDraft has given it its name. */
export function endDraft({ dataRoot, name, lock }: Draft): void {
  const folder = syscall('open the layers', 'openat', AT_FDCWD, overlayFolder(dataRoot), DIRECTORY, 0);
  try {
    removeLayerFolder(folder, TEMPORARY + name);
  } finally {
    close(folder);
    close(lock);
  }
}

/**
 * Gives a directory its name, and the short name that mount options use. The caller holds the lock of withLayersLocked.
 * @throws SystemError
 */
export function publishDraft({ dataRoot, name, path }: Draft): void {
  const folder = overlayFolder(dataRoot);
  const short = `${folder}/l/${readSmall(AT_FDCWD, `${path}/link`)}`;
  syscall(`make ${short}`, 'symlinkat', `../${name}/diff`, AT_FDCWD, short);
  syscall(`rename ${path}`, 'renameat2', AT_FDCWD, path, AT_FDCWD, `${folder}/${name}`, NOREPLACE);
}
const NOREPLACE = flag('RENAME_NOREPLACE');

/**
 * Takes a layer's directory out of sight; endDraft removes it then. The caller holds the lock of withLayersLocked.
 * @returns undefined where there is none
 */
export function withdraw(dataRoot: string, name: string): Draft | undefined {
  const folder = overlayFolder(dataRoot);
  const path = `${folder}/${TEMPORARY}${name}`;
  const result = rawSyscall('renameat2', AT_FDCWD, `${folder}/${name}`, AT_FDCWD, path, NOREPLACE);
  if (result === errno('ENOENT')) return undefined;
  if (result < 0) throw new SystemError(`take layer ${name} away`, -result);
  return { dataRoot, name, path, lock: lockDirectory(path) };
}

/** Removes what processes that were killed have left. */
export function removeLeftovers(dataRoot: string): void {
  for (const draft of withLayersLocked(dataRoot, () => findLeftovers(dataRoot))) endDraft(draft);
}

function findLeftovers(dataRoot: string): Draft[] {
  const folder = overlayFolder(dataRoot);
  const fd = syscall(`open ${folder}`, 'openat', AT_FDCWD, folder, DIRECTORY, 0);
  try {
    return readDirectory(fd).flatMap((name) => {
      if (ENTRY_NAME.test(name) && exists(fd, `${name}/${ENTRY}`)) return withdraw(dataRoot, name) ?? [];
      if (!name.startsWith(TEMPORARY)) return [];
      const lock = lockLeftover(fd, name);
      const path = `${folder}/${name}`;
      return lock === undefined ? [] : { dataRoot, name: name.slice(TEMPORARY.length), path, lock };
    });
  } finally {
    close(fd);
  }
}

/** Undefined: somebody works on it, or has just removed it. */
function lockLeftover(folder: number, name: string): number | undefined {
  const fd = openDirectory(folder, name);
  if (fd === undefined) return undefined;
  if (lockOpen(fd, { wait: false }) && statInode(fd, `look at ${name}`).links > 0) return fd;
  close(fd);
  return undefined;
}

/** A layer's directory and its short name. */
function removeLayerFolder(folder: number, name: string): void {
  const link = readSmall(folder, `${name}/link`);
  if (link !== undefined && LINK.test(link)) rawSyscall('unlinkat', folder, `l/${link}`, 0);
  else if (exists(folder, name))
    removeShortNames(folder, name.startsWith(TEMPORARY) ? name.slice(TEMPORARY.length) : name);
  removeTree(folder, name);
}

/** Of a directory that does not say it any more: a power cut has emptied the file, or half of it is removed already. */
function removeShortNames(folder: number, name: string): void {
  const names = openDirectory(folder, 'l');
  if (names === undefined) return;
  try {
    const into = new Uint8Array(256);
    for (const short of readDirectory(names)) {
      const size = rawSyscall('readlinkat', names, short, into, into.length);
      const target = size < 0 ? '' : new TextDecoder().decode(into.subarray(0, size));
      if (target === `../${name}/diff`) rawSyscall('unlinkat', names, short, 0);
    }
  } finally {
    close(names);
  }
}

const LINK = /^[A-Z2-7]{26}$/;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A short name for a layer: 26 characters of base 32. */
const newLink = (): string =>
  [...crypto.getRandomValues(new Uint8Array(26))].map((byte) => BASE32[byte & 31]).join('');

/** A name for a layer's directory: 64 hexadecimal digits. */
export const newCacheId = (): string => crypto.getRandomValues(new Uint8Array(32)).toHex();

/** The short name of a layer's directory that is there; undefined where it is damaged. */
export function readShortName(dataRoot: string, name: string): string | undefined {
  const link = readSmall(AT_FDCWD, `${overlayFolder(dataRoot)}/${name}/link`);
  return link !== undefined && LINK.test(link) ? link : undefined;
}

/** Names of layers' directories, and of containers' ones. */
export const listFolders = (dataRoot: string): string[] =>
  listDirectory(overlayFolder(dataRoot)).filter((name) => name !== 'l' && !name.startsWith(TEMPORARY));
