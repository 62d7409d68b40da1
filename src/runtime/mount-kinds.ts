// The most frequent mistake with binds: a directory on a file, or a file on a directory. The kernel says ENOTDIR, when the
// source has been made already; so it is looked for before.

import { close } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, readNames } from '../disk/files.ts';
import { S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { Mount } from '../oci/config.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import type { FlagMount, SourceKind } from '../plan/input.ts';
import { destinationsInRootfs } from './gather-mounts.ts';
import { openInRoot, openRoot } from './probe-rootfs.ts';

/** Docker's words, which people look for. */
const QUESTION = 'are you trying to mount a directory onto a file (or vice-versa)?';

type Kind = 'directory' | 'file';

/**
 * Refuses mounts of flags whose source and destination are of different kinds; a tmpfs is a directory.
 * @param roots directories of the root, topmost first
 * @param mounts all of the container, in their order: what is below another one is not looked for in the root
 * @throws TinyrunError CONFIG; SystemError where a layer cannot be read
 */
export async function assertKinds(
  flagMounts: readonly FlagMount[],
  sources: ReadonlyMap<string, SourceKind>,
  roots: readonly string[],
  mounts: readonly Mount[],
): Promise<void> {
  const visible = new Set(destinationsInRootfs(mounts).map(({ destination }) => `/${destination}`));
  const look = await lookIn(roots);
  for (const flagMount of flagMounts) {
    const { mount } = flagMount;
    const isBind = parseMountOptions(mount.options ?? []).bind !== false;
    const source = isBind ? (flagMount.kind ?? sources.get(mount.source ?? '')) : 'directory';
    if (source === undefined) continue;
    if (!visible.has(mount.destination)) continue;
    const destination = look(mount.destination);
    if (destination === undefined) assertWay(flagMount, look);
    else if (destination !== (source === 'file' ? 'file' : 'directory'))
      throw mismatch(flagMount, source, destination);
  }
}

/** Where nothing is at a destination, directories are made; but not in a file. */
function assertWay(
  { mount: { destination }, from }: FlagMount,
  look: (path: string) => Kind | undefined,
): void {
  for (let path = parentOf(destination); path !== ''; path = parentOf(path)) {
    const kind = look(path);
    if (kind === 'file')
      throw new TinyrunError(
        'CONFIG',
        `${from}: cannot make the mount point ${destination}: ${path} in the container is a file`,
        { hint: 'name another destination' },
      );
    if (kind === 'directory') return;
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** What is at a path: of several layers, what they show together. */
async function lookIn(roots: readonly string[]): Promise<(path: string) => Kind | undefined> {
  const [only = ''] = roots;
  if (roots.length === 1) return (path) => kindInRoot(only, path);
  const { openMerged } = await import('../image/merged.ts');
  return (path) => {
    const entry = openMerged(roots, path);
    for (const fd of entry?.fds ?? []) close(fd);
    return entry && (entry.type === 'directory' ? 'directory' : 'file');
  };
}

function kindInRoot(root: string, path: string): Kind | undefined {
  const dir = openRoot(root);
  if (dir < 0) return undefined;
  const fd = openInRoot(dir, path);
  close(dir);
  if (fd < 0) return undefined;
  try {
    return statInode(fd, path).type === S_IFDIR ? 'directory' : 'file';
  } finally {
    close(fd);
  }
}

function mismatch({ mount, from }: FlagMount, source: SourceKind, destination: Kind): TinyrunError {
  const { source: path = '', destination: place } = mount;
  if (source === 'missing')
    return new TinyrunError(
      'CONFIG',
      `${from}: ${path} does not exist on the host, and would be made as a directory; but ${place} in the ` +
        `container is a file: ${QUESTION}`,
      { hint: `make the file ${path} first, or correct the path` },
    );
  const what = path.startsWith('/') ? `${source} ${path}` : path;
  return new TinyrunError(
    'CONFIG',
    `${from}: cannot mount ${what} on ${place}: in the container that is a ${destination}: ${QUESTION}`,
    {
      hint: hintFor(path, place, destination),
      data: { source: path, destination: place },
    },
  );
}

function hintFor(source: string, place: string, destination: Kind): string {
  if (destination === 'directory')
    return `name the file in the container: ${place}/${source.slice(source.lastIndexOf('/') + 1)}`;
  if (!source.startsWith('/')) return 'name a directory as destination';
  if (!isEmptyDirectory(source)) return 'name a file as source, or a directory as destination';
  return `${source} is empty: made by an earlier -v, perhaps, when the file was missing; rmdir it and make the file, or correct the path`;
}

function isEmptyDirectory(path: string): boolean {
  const fd = openDirectory(AT_FDCWD, path);
  if (fd === undefined) return false;
  try {
    return readNames(fd).length === 0;
  } finally {
    close(fd);
  }
}
