// What `cp` keeps its hands off, whatever path leads there: files that the kernel makes up, which have a size of 0 and no end,
// and a copy of a directory into itself, which has none either.

import { close, flag, rawSyscall, type SystemError } from '../../native-bindings/libc.ts';
import { displayName } from '../archive/names.ts';
import type { Found } from '../archive/walk.ts';
import { AT_FDCWD, PIN, readLink } from '../disk/files.ts';
import { mountIdOf, must, pathOf } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { CopyEnd } from './copy.ts';
import { isOfTheRuntime } from './copy-rules.ts';
import type { Located } from './locate.ts';

/** By f_type of statfs(2): the filesystems that are no place for files. */
const MADE_UP = new Map(
  Object.entries({
    ...{ proc: 'PROC_SUPER_MAGIC', sysfs: 'SYSFS_MAGIC', cgroup: 'CGROUP_SUPER_MAGIC' },
    ...{ cgroup2: 'CGROUP2_SUPER_MAGIC', devpts: 'DEVPTS_SUPER_MAGIC', debugfs: 'DEBUGFS_MAGIC' },
    ...{ tracefs: 'TRACEFS_MAGIC', securityfs: 'SECURITYFS_MAGIC', bpf: 'BPF_FS_MAGIC' },
    ...{ selinuxfs: 'SELINUX_MAGIC', pstore: 'PSTOREFS_MAGIC', efivarfs: 'EFIVARFS_MAGIC' },
  }).map(([name, magic]) => [flag(magic) >>> 0, name]),
);

/** The filesystem of a file, if the kernel makes up what is in it: `proc`. Throws SystemError. */
export function madeUp(fd: number, what: string): string | undefined {
  const statfs = new Uint8Array(120); // struct statfs, which begins with f_type
  must(rawSyscall('fstatfs', fd, statfs), what);
  return MADE_UP.get(new DataView(statfs.buffer).getUint32(0, true));
}

/**
 * Refuses a source of which a copy would be empty, or never whole.
 * @throws TinyrunError USAGE; SystemError
 */
export function assertHasContents({ parent, base }: Located, { written }: CopyEnd): void {
  if (parent === undefined) return;
  const pin = must(rawSyscall('openat', parent, base, PIN, 0), `look at ${written}`);
  try {
    const filesystem = madeUp(pin, `look at ${written}`);
    if (filesystem !== undefined)
      throw new TinyrunError(
        'USAGE',
        `cp ${written}: it is in a filesystem of type ${filesystem}, whose files the kernel makes up while they are read`,
        { hint: 'read it into a file with cat, and copy that' },
      );
  } finally {
    close(pin);
  }
}

/**
 * Refuses a directory in which nothing can be made, or where nobody would see it.
 * @param path of what is to be made
 * @throws TinyrunError USAGE; SystemError
 */
export function assertTakesFiles(
  directory: number,
  path: string,
  { root, container, written }: CopyEnd,
): void {
  const isHidden =
    container !== undefined &&
    (isOfTheRuntime(path) || isOfTheRuntime(placeIn(root, directory))) &&
    mountIdOf(directory, written) === mountIdOf(root, written);
  if (isHidden)
    throw new TinyrunError(
      'USAGE',
      `cp to ${written}: the container would not see it: what it has in /proc, /sys and /dev is the runtime's`,
      { hint: `write it from inside: tinyrun exec -i ${container} sh -c 'cat >PATH'` },
    );
  const filesystem = madeUp(directory, `look at ${written}`);
  if (filesystem !== undefined)
    throw new TinyrunError(
      'USAGE',
      `cp to ${written}: it is in a filesystem of type ${filesystem}, where only the kernel makes files`,
    );
}

/** Where a directory is in the root, whatever symlinks led there. */
function placeIn(root: number, directory: number): string {
  const [above = '', place = ''] = [root, directory].map((fd) => readLink(AT_FDCWD, pathOf(fd)));
  return place.slice(above === '/' ? 0 : above.length);
}

/**
 * Which directories of a source are copied with what is in them: not those of filesystems that the kernel makes up.
 * @param forbidden see CopyOptions; the copy fails at one of them
 */
export const enterBelow =
  ({ written }: CopyEnd, forbidden: ReadonlyMap<string, string>) =>
  ({ path, fd, inode }: Found): boolean => {
    const why = forbidden.get(inode.identity);
    if (why !== undefined)
      throw new TinyrunError('USAGE', `cannot copy ${written} into itself: in it ${why}`, {
        hint: 'copy parts of it, or an archive without that: tar -c --exclude=PATH ... | tinyrun cp - CONTAINER:PATH',
        data: { path: displayName(path) },
      });
    return madeUp(fd, `look at ${displayName(path)}`) === undefined;
  };

/** What is read-only, in Docker's words: the root of a container, or something that is mounted in it. */
export function readOnly(
  directory: number,
  { root, container, written }: CopyEnd,
  cause: SystemError,
): TinyrunError {
  const isRoot = mountIdOf(directory, written) === mountIdOf(root, written);
  const what =
    container === undefined
      ? 'the filesystem is'
      : isRoot
        ? 'container rootfs is marked'
        : 'mounted volume is marked';
  return new TinyrunError('USAGE', `cp to ${written}: ${what} read-only`, {
    cause,
    data: { errno: cause.errno },
  });
}
