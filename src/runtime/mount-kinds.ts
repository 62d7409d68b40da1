// The most frequent mistake with binds: a directory on a file, or a file on a directory. The kernel says ENOTDIR, when the
// source has been made already; so it is looked for before.

import { close } from '../../native-bindings/libc.ts';
import { S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import type { FlagMount, SourceKind } from '../plan/input.ts';
import { openInRoot, openRoot } from './probe-rootfs.ts';

/** Docker's words, which people look for. */
const QUESTION = 'are you trying to mount a directory onto a file (or vice-versa)?';

/**
 * Refuses binds of flags whose source and destination are of different kinds.
 * @param root the rootfs, if it is one directory: what several layers show together, only the mounted overlay tells
 * @param visible whether a destination can be looked for in the rootfs: it is below no other mount
 * @throws TinyrunError CONFIG
 */
export function assertKinds(
  flagMounts: readonly FlagMount[],
  sources: ReadonlyMap<string, SourceKind>,
  root: string,
  visible: ReadonlySet<string>,
): void {
  const dir = openRoot(root);
  if (dir < 0) return;
  try {
    for (const flagMount of flagMounts) {
      const { mount } = flagMount;
      const source = sources.get(mount.source ?? '');
      if (parseMountOptions(mount.options ?? []).bind === false || source === undefined) continue;
      const destination = visible.has(mount.destination) ? kindInRoot(dir, mount.destination) : undefined;
      if (destination !== undefined && destination !== (source === 'file' ? 'file' : 'directory'))
        throw mismatch(flagMount, source, destination);
    }
  } finally {
    close(dir);
  }
}

function kindInRoot(dir: number, path: string): 'directory' | 'file' | undefined {
  const fd = openInRoot(dir, path);
  if (fd < 0) return undefined;
  try {
    return statInode(fd, path).type === S_IFDIR ? 'directory' : 'file';
  } finally {
    close(fd);
  }
}

function mismatch(
  { mount, from }: FlagMount,
  source: SourceKind,
  destination: 'directory' | 'file',
): TinyrunError {
  const { source: path = '', destination: place } = mount;
  if (source === 'missing')
    return new TinyrunError(
      'CONFIG',
      `${from}: ${path} does not exist on the host, and would be made as a directory; but ${place} in the ` +
        `container is a file: ${QUESTION}`,
      { hint: `make the file ${path} first, or correct the path` },
    );
  const what = source === 'file' ? 'file' : 'directory';
  return new TinyrunError(
    'CONFIG',
    `${from}: cannot mount ${what} ${path} on ${place}: in the container that is a ${destination}: ${QUESTION}`,
    {
      hint:
        destination === 'file'
          ? `name a file as source, or a directory as destination`
          : `name the file in the container: ${place}/${path.slice(path.lastIndexOf('/') + 1)}`,
      data: { source: path, destination: place },
    },
  );
}
