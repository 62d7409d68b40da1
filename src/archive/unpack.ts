// A tar stream -> a directory tree. The archive is hostile: nothing outside of the root is touched, whatever its names,
// symlinks and hard links say (CVE-2021-32760, CVE-2025-47290), and no work grows faster than the archive (CVE-2026-95838).
//
// Each name is used once, in a directory that is open (directories.ts); attributes are set by descriptor. Those of
// directories come last: what is made in one changes its time, and inherits of its mode and ACL.

import { close } from '../../native-bindings/libc.ts';
import { DIRECTORY } from '../disk/files.ts';
import { errno, must } from '../disk/inode.ts';
import { expectLongWork } from '../disk/long-work.ts';
import { TinyrunError } from '../errors.ts';
import { type Attributes, setAttributes } from './attributes.ts';
import { directoriesOf, openBeneath } from './directories.ts';
import { type Entry, readEntries } from './entries.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { type ByteString, displayName, joinPath, splitPath } from './names.ts';
import { tryNewFile } from './new-files.ts';
import { hideBelow, makeDirectory, type Tree } from './place.ts';
import type { ByteSource } from './source.ts';
import { attributesOf, pathOfName, unpackEntry } from './unpack-entry.ts';
import type { UnpackOptions, UnpackResult } from './unpack-options.ts';
import { makeWhiteout, setOpaque, type Whiteout, whiteoutOf } from './whiteouts.ts';

/**
 * Unpacks an archive.
 * @param root fd of a directory; what is there already is kept, or replaced by entries of the same name
 * @param source uncompressed
 * @throws TinyrunError ARCHIVE naming the entry; SystemError. What is unpacked so far stays
 */
export async function unpackTar(
  root: number,
  source: ByteSource,
  options: UnpackOptions,
): Promise<UnpackResult> {
  expectLongWork();
  const pending = new Map<ByteString, Attributes>();
  const top = options.inherited?.('');
  if (top !== undefined) pending.set('', top);
  let mtime = { seconds: 0, nanoseconds: 0 };
  /** One entry may ask for two thousand directories. */
  let left = options.limits?.entries ?? DEFAULT_LIMITS.entries;
  const tree: Tree = {
    root,
    options,
    directories: directoriesOf(root, (place) => {
      if (left-- <= 0) throw new TinyrunError('ARCHIVE', 'it asks for too many directories');
      if (makeDirectory(place))
        pending.set(place.path, options.inherited?.(place.path) ?? { ...IMPLICIT, mtime });
    }),
    newFile: options.fresh ? tryNewFile(root) : undefined,
    pending,
    result: { bytes: 0, entries: 0, opaqueRoot: false },
  };
  try {
    const { limits, unterminated, recorder } = options;
    for await (const entry of readEntries(source, { limits, unterminated, onFrame: recorder?.frame })) {
      mtime = entry.mtime;
      const later = unpackNamed(tree, entry);
      if (later !== undefined) await later;
    }
    for (const [path, attributes] of pending) finishDirectory(root, path, attributes);
  } finally {
    tree.directories.close();
  }
  return tree.result;
}

/** What a directory gets that no entry describes; its time is that of the first entry in it. */
const IMPLICIT = { mode: 0o755, uid: 0, gid: 0, xattrs: [] } as const;

/** Messages name the entry. */
function unpackNamed(tree: Tree, entry: Entry): Promise<void> | undefined {
  if (tree.options.onEntry !== undefined) tree.options.onEntry(displayName(entry.name), entry.size);
  tree.result.entries++;
  const rethrow = (error: unknown): never => {
    if (!(error instanceof TinyrunError) || error.code !== 'ARCHIVE') throw error;
    const name = displayName(entry.name);
    const { hint, message } = error;
    throw new TinyrunError('ARCHIVE', `unpack ${name}: ${message}`, {
      hint,
      data: { entry: name },
    });
  };
  try {
    return unpackOne(tree, entry)?.catch(rethrow);
  } catch (error) {
    return rethrow(error);
  }
}

/** Returns a promise only where it is one of a file's body: most is done at once. */
function unpackOne(tree: Tree, entry: Entry): Promise<void> | undefined {
  const path = pathOfName(tree, entry.name);
  if (path === undefined) return;
  if (path === '') {
    if (entry.type !== 'directory') throw new TinyrunError('ARCHIVE', 'the root is a directory');
    tree.pending.set('', attributesOf(tree, entry));
    return;
  }
  const { parent, base } = splitPath(path);
  const whiteout = tree.options.whiteouts === 'plain' ? undefined : whiteoutOf(path);
  if (whiteout !== undefined) hide(tree, parent, whiteout);
  else return unpackEntry(tree, entry, { path, directory: tree.directories.open(parent), base });
}

function hide(tree: Tree, parent: ByteString, whiteout: Whiteout): void {
  if (whiteout.kind === 'housekeeping') return;
  const directory = tree.directories.open(parent);
  if (whiteout.kind === 'opaque') {
    if (parent === '') tree.result.opaqueRoot = true;
    else setOpaque(directory, parent);
    return;
  }
  const { base } = whiteout;
  if (!makeWhiteout(directory, base)) hideBelow({ path: joinPath(parent, base), directory, base });
}

/** One that was replaced by something else later on has no attributes to get. */
function finishDirectory(root: number, path: ByteString, attributes: Attributes): void {
  const fd = openBeneath(root, path, DIRECTORY);
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].some((name) => fd === errno(name))) return;
  const what = `unpack ${displayName(path) || '.'}`;
  must(fd, `${what}: open the directory`);
  try {
    setAttributes(fd, attributes, what);
  } finally {
    close(fd);
  }
}
