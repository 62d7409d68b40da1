// A path below a root that nobody may lead us out of -> descriptors. The directories on the way are resolved inside the root
// (openat2(2), RESOLVE_IN_ROOT), once, and used by descriptor from then on, so a symlink that a container puts in the way
// meanwhile leads nowhere (CVE-2018-15664, CVE-2019-10152).

import { close, flag, rawOpenat2, rawSyscall } from '../../native-bindings/libc.ts';
import { PIN, readLink } from '../disk/files.ts';
import { errno, must, S_IFDIR, S_IFLNK, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import type { Kind } from './copy-rules.ts';

/** What is at a path. Close it with `forget`. */
export interface Located {
  kind: Kind;
  /** fd of the directory that the name is in; undefined: there is none. */
  parent: number | undefined;
  /** The last name, symlinks followed where asked for; `.` is the directory itself. */
  base: string;
  /** Where the symlinks that were followed led to: absolute, clean; undefined: there were none in the last place. */
  ledTo: string | undefined;
}

const DIRECTORY = flag('O_PATH', 'O_DIRECTORY', 'O_CLOEXEC');
const IN_ROOT = flag('RESOLVE_IN_ROOT', 'RESOLVE_NO_MAGICLINKS');
const MOST_LINKS = 40; // path_resolution(7)

/**
 * Looks a path up.
 * @param root fd of a directory
 * @param path absolute
 * @param follow a symlink in the last place, too
 * @throws TinyrunError USAGE for symlinks without end; SystemError
 */
export function locate(root: number, path: string, follow: boolean): Located {
  let here = path;
  for (let links = 0; links <= MOST_LINKS; links++) {
    const slash = here.lastIndexOf('/');
    const last = here.slice(slash + 1);
    const isName = !['', '.', '..'].includes(last);
    const above = isName ? here.slice(0, slash) || '/' : here;
    const parent = openInside(root, above, DIRECTORY);
    const base = isName ? last : '.';
    const ledTo = links === 0 ? undefined : `/${cleanInside(here)}`;
    if (parent === undefined) return { kind: 'missing', parent, base, ledTo };
    const { kind, link, owner } = lookAt(parent, base);
    if (link === undefined || !follow) return { kind, parent, base, ledTo };
    const mayFollow = isTrusted(parent, owner, path);
    close(parent);
    if (!mayFollow)
      throw new TinyrunError(
        'USAGE',
        `follow ${path}: EACCES it is a symlink of user ${owner}, where everybody may make one`,
        {
          hint: 'name what it leads to, or use another directory',
        },
      );
    here = link.startsWith('/') ? link : `${above}/${link}`;
  }
  throw new TinyrunError('USAGE', `follow ${path}: ELOOP too many symlinks`);
}

/** Closes what was located. */
export function forget({ parent }: Located): void {
  if (parent !== undefined) close(parent);
}

/**
 * Opens a path inside the root, symlinks and all; undefined where nothing is there.
 * @param flags O_*
 * @throws SystemError
 */
export function openInside(root: number, path: string, flags: number): number | undefined {
  const fd = rawOpenat2(root, path, flags, IN_ROOT);
  if (fd === errno('ENOENT') || fd === errno('ENOTDIR')) return undefined;
  return must(fd, `open ${path}`);
}

/** <linux/stat.h>; a symlink that is not followed is copied like a file. */
const KINDS: Readonly<Record<number, Kind>> = {
  [S_IFDIR]: 'directory',
  [0o020000]: 'device',
  [0o060000]: 'device',
  [0o010000]: 'fifo',
  [0o140000]: 'socket',
};

function lookAt(parent: number, base: string): { kind: Kind; link?: string | undefined; owner?: number } {
  const pin = rawSyscall('openat', parent, base, PIN, 0);
  if (pin === errno('ENOENT')) return { kind: 'missing' };
  must(pin, `look at ${base}`);
  try {
    const { type, uid } = statInode(pin, `look at ${base}`);
    const link = type === S_IFLNK ? readLink(pin, '', `read symlink ${base}`) : undefined;
    return { kind: KINDS[type] ?? 'file', link, owner: uid };
  } finally {
    close(pin);
  }
}

const [S_ISVTX, S_IWOTH] = [0o1000, 0o002]; // <linux/stat.h>

/**
 * Whether a symlink may be followed: the kernel's rule (protected_symlinks of proc_sys_fs(5)), which it cannot apply to one
 * that is followed here. Without it, any user of the host could have root write where he likes, by a link in /tmp.
 */
function isTrusted(directory: number, owner: number | undefined, path: string): boolean {
  const { uid, mode } = statInode(directory, `look at the directory of ${path}`);
  const isOpen = (mode & S_ISVTX) !== 0 && (mode & S_IWOTH) !== 0;
  return !isOpen || owner === uid || owner === process.geteuid?.();
}
