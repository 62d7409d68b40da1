// The option U: all that is in a mount's source is given to the container's user. As hostile as a volume may be, nothing but
// what is in it gets another owner: each name is pinned by a descriptor that follows no symlink, and no mount is entered.

import { close, flag, rawOpenat2, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { PIN, readNames } from '../disk/files.ts';
import { decodeName, errno, must, type Owner, S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { FlagMount } from '../plan/input.ts';

/** Directories of the host that would be of no use to it any more. */
const PROTECTED =
  /^\/(|bin|boot|dev|etc|home|lib|lib32|lib64|libx32|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var|var\/(lib|log|run|tmp))$/;
const WITHIN = flag('RESOLVE_BENEATH', 'RESOLVE_NO_MAGICLINKS', 'RESOLVE_NO_XDEV'); // O_NOFOLLOW pins a symlink itself

/**
 * Changes the owner of a mount's source and of all below.
 * @throws TinyrunError USAGE for a directory that the host itself needs; HOST
 */
export function chownTree({ mount, fd, from }: FlagMount, owner: Owner): void {
  const source = mount.source ?? '';
  if (PROTECTED.test(source))
    throw new TinyrunError('USAGE', `${from}: U would change the owner of ${source}, which the host needs`, {
      hint: 'mount a directory below it, or leave out U',
    });
  try {
    const top =
      fd === undefined
        ? must(
            rawSyscall('openat', flag('AT_FDCWD'), source, flag('O_PATH', 'O_CLOEXEC'), 0),
            `open ${source}`,
          )
        : must(rawSyscall('fcntl', fd, flag('F_DUPFD_CLOEXEC'), 0), `open ${source}`);
    giveAll(top, source, owner);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new TinyrunError('HOST', `${from}: change the owner of what is in ${source}: ${error.message}`, {
      cause: error,
    });
  }
}

/** Takes the descriptor over. */
function giveAll(pin: number, path: string, owner: Owner): void {
  try {
    const inode = statInode(pin, path);
    if (inode.uid !== owner.uid || inode.gid !== owner.gid)
      must(
        rawSyscall('fchownat', pin, '', owner.uid, owner.gid, flag('AT_EMPTY_PATH')),
        `give ${path} to ${owner.uid}:${owner.gid}`,
      );
    if (inode.type === S_IFDIR) giveBelow(pin, path, owner);
  } finally {
    close(pin);
  }
}

function giveBelow(pin: number, path: string, owner: Owner): void {
  const directory = must(
    rawSyscall('openat', pin, '.', flag('O_RDONLY', 'O_DIRECTORY', 'O_CLOEXEC'), 0),
    `open ${path}`,
  );
  try {
    for (const name of readNames(directory)) {
      const below = `${path}/${decodeName(name.subarray(0, -1))}`;
      const fd = rawOpenat2(directory, name, PIN, WITHIN);
      // Another mount, which is not the source; or it is gone meanwhile.
      if (fd === errno('EXDEV') || fd === errno('ENOENT')) continue;
      giveAll(must(fd, `open ${below}`), below, owner);
    }
  } finally {
    close(directory);
  }
}
