// DATA_ROOT/volumes, its locks, and what a killed tinyrun left in it.
//
//   volumes/NAME/{_data,volume.json}   a volume; it has its name from the moment it is whole
//   volumes/.aside/                    volumes that are being made, or removed; each locked by who does it
//
//   flock on volumes/        held for moments: while a name is taken, or given up
//   flock on volumes/NAME    held while what is behind a volume changes: mounts, imports
//
// What is in .aside and not locked is a leftover, and its data is nobody's: either it never had a name, or its removal
// was asked for.

import { close, flag, rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, readDirectory, removeTree } from '../disk/files.ts';
import { lockDirectory, lockOpen } from '../disk/lock.ts';
import { spreadDirectories } from '../disk/spread.ts';
import { makeDirectories } from '../disk/write.ts';

const ASIDE = '.aside';
/** The directory with a volume's data, in its own. */
export const DATA = '_data';

/** DATA_ROOT/volumes. */
export const volumesOf = (dataRoot: string): string => `${dataRoot}/volumes`;

/** Opens DATA_ROOT/volumes; undefined where there is none yet. */
export const openVolumes = (dataRoot: string): number | undefined =>
  openDirectory(AT_FDCWD, volumesOf(dataRoot));

/**
 * Makes DATA_ROOT/volumes where it is missing. Only root gets through it: a container may put setuid files and devices into
 * a volume, which are of use to whoever reaches them on the host (moby CVE-2021-41091).
 */
export function makeVolumes(dataRoot: string): void {
  const path = volumesOf(dataRoot);
  makeDirectories(dataRoot);
  makeDirectories(path, 0o700);
  if (makeDirectories(`${path}/${ASIDE}`, 0o700)) spreadDirectories(`${path}/${ASIDE}`);
}

/**
 * Does something while no volume gets or loses its name.
 * @param work is given the fd of DATA_ROOT/volumes, which must be there
 */
export function withVolumes<T>(dataRoot: string, work: (volumes: number) => T): T {
  const fd = lockDirectory(volumesOf(dataRoot));
  try {
    return work(fd);
  } finally {
    close(fd);
  }
}

/** A directory in .aside, locked; closing `fd` gives it up. */
export interface Aside {
  fd: number;
  /** Relative to DATA_ROOT/volumes. */
  name: string;
  path: string;
}

/** Makes a directory to build a volume in. */
export function makeAside(dataRoot: string): Aside {
  makeVolumes(dataRoot);
  return withVolumes(dataRoot, (volumes) => {
    const name = asideName();
    syscall(`make ${name}`, 'mkdirat', volumes, name, 0o700);
    const fd = syscall(
      `open ${name}`,
      'openat',
      volumes,
      name,
      flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC'),
      0,
    );
    lockOpen(fd);
    return { fd, name, path: `${volumesOf(dataRoot)}/${name}` };
  });
}

/** Renames a volume's directory into .aside; the caller has locked both it and DATA_ROOT/volumes. */
export function moveAside(volumes: number, name: string): string {
  rawSyscall('mkdirat', volumes, ASIDE, 0o700); // missing where somebody else made the store; EEXIST is as usual
  const aside = asideName();
  syscall(`remove volume ${name}`, 'renameat2', volumes, name, volumes, aside, 0);
  return aside;
}

function asideName(): string {
  const bytes = new Uint8Array(8);
  syscall('make a name', 'getrandom', bytes, bytes.length, 0);
  return `${ASIDE}/${bytes.toHex()}`;
}

/**
 * Removes what killed processes left. Called by all that change the store.
 * @returns what could not be removed, such as a file that a container made immutable: it is in nobody's way
 */
export function repair(dataRoot: string): SystemError[] {
  const aside = openDirectory(AT_FDCWD, `${volumesOf(dataRoot)}/${ASIDE}`);
  if (aside === undefined) return [];
  const problems: SystemError[] = [];
  try {
    const names = readDirectory(aside);
    if (names.length === 0) return [];
    // Locked by its maker under this lock: what is unlocked now stays so.
    const stale = withVolumes(dataRoot, () => names.flatMap((name) => lockStale(aside, name)));
    for (const { fd, name } of stale) {
      // What was copied into a filesystem of its own; EINVAL: nothing is mounted.
      rawSyscall('umount2', `${volumesOf(dataRoot)}/${ASIDE}/${name}/${DATA}`, flag('MNT_DETACH'));
      try {
        removeTree(aside, name);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        problems.push(error);
      } finally {
        close(fd);
      }
    }
    return problems;
  } finally {
    close(aside);
  }
}

function lockStale(aside: number, name: string): { fd: number; name: string }[] {
  const fd = openDirectory(aside, name);
  if (fd === undefined) return [];
  if (lockOpen(fd, { wait: false })) return [{ fd, name }];
  close(fd);
  return [];
}
