// One entry of each kind -> the file it stands for, in its place. The name is used once, to make the file; all else goes by
// its descriptor.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { errno, must, pathOf, S_IFDIR, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { type Attributes, setAttributes } from './attributes.ts';
import { cutOff } from './blocks.ts';
import { openBeneath } from './directories.ts';
import type { Entry } from './entries.ts';
import { type ByteString, displayName, entryPath, pathBytes } from './names.ts';
import { kindOf, makeDirectory, PIN, type Place, replace, type Tree, take } from './place.ts';
import { isWhiteout } from './whiteouts.ts';

const CREATE = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_NOFOLLOW', 'O_CLOEXEC');
const AT_FDCWD = flag('AT_FDCWD');
const AT_SYMLINK_FOLLOW = flag('AT_SYMLINK_FOLLOW');
/** Bytes of a file written at once. */
const CHUNK = 2 ** 20;

/** Unpacks an entry that is no whiteout. */
export function unpackEntry(tree: Tree, entry: Entry, place: Place): Promise<void> | undefined {
  if (entry.type === 'file') return putFile(tree, entry, place);
  if (entry.type === 'directory') putDirectory(tree, entry, place);
  else if (entry.type === 'link') putLink(tree, entry, place);
  else if (isDevice(entry) && tree.options.withoutRights !== undefined)
    tree.options.withoutRights(displayName(place.path));
  else putNode(tree, entry, entry.type, place);
}

const isDevice = ({ type }: Entry): boolean => type === 'character' || type === 'block';

/** <linux/stat.h> */
const SETUID_SETGID = 0o6000;

/** What an entry's file gets: as the archive says, but for what the options change. */
export function attributesOf({ options }: Tree, entry: Entry): Attributes {
  const { mode, uid, gid, mtime, xattrs } = entry;
  const owner = options.mapOwner?.(uid, gid) ?? { uid, gid };
  if (options.withoutRights === undefined) return { mode, mtime, xattrs, ...owner };
  const rest = xattrs.filter(([name]) => name !== 'security.capability');
  return { mode: mode & ~SETUID_SETGID, mtime, xattrs: rest, ...owner };
}

/** The path that a name stands for, after the caller's rules; undefined: it is left out. */
export function pathOfName({ options }: Tree, name: ByteString): ByteString | undefined {
  const path = entryPath(name);
  return options.rename === undefined ? path : options.rename(path);
}

function putDirectory(tree: Tree, entry: Entry, place: Place): void {
  if (!makeDirectory(place) && kindOf(place) !== 'directory') {
    replace(tree, entry, place);
    makeDirectory(place);
  }
  tree.pending.set(place.path, attributesOf(tree, entry));
}

function putFile(tree: Tree, entry: Entry, place: Place): Promise<void> | undefined {
  const file = makeFile(tree, entry, place);
  let later: Promise<void> | undefined;
  try {
    tree.options.recorder?.content(place.path, entry.regions);
    const bytes = hasHoles(entry) ? undefined : entry.readWholeNow();
    if (bytes === undefined) later = writeParts(file, entry);
    else {
      // As nearly all are: to wait for what is there takes longer than to write it.
      writeAt(file, bytes, 0);
      file.finish();
    }
  } finally {
    if (later === undefined) close(file.fd);
  }
  return later;
}

/** Pieces are in order, not empty, and no longer than the file (sparse.ts). */
const hasHoles = ({ regions, size }: Entry): boolean => size !== (regions[0]?.length ?? 0);

/** A file that gets its contents. */
interface OpenFile {
  fd: number;
  /** Begins the messages. */
  what: string;
  /** Sets its attributes, and counts it: last, as writing changes its times, and takes away rights. */
  finish(): void;
}

function makeFile(tree: Tree, entry: Entry, place: Place): OpenFile {
  const attributes = attributesOf(tree, entry);
  const { newFile } = tree;
  const asMade = newFile !== undefined && (attributes.mode & ~newFile.mode) === 0;
  const mode = asMade ? attributes.mode : 0o600;
  const fd = take(tree, entry, place, (name) => rawSyscall('openat', place.directory, name, CREATE, mode));
  const what = `unpack ${displayName(place.path)}`;
  const finish = (): void => {
    setAttributes(fd, attributes, what, asMade ? { ...newFile, mode } : undefined);
    tree.result.bytes += entry.size;
  };
  return { fd, what, finish };
}

/** The same of one whose contents come in pieces, or that has holes; it is closed. */
async function writeParts(file: OpenFile, entry: Entry): Promise<void> {
  try {
    await writeBody(file, entry);
    file.finish();
  } finally {
    close(file.fd);
  }
}

async function writeBody(file: OpenFile, entry: Entry): Promise<void> {
  let end = 0;
  for (const { offset, length } of entry.regions) {
    for (let at = offset; at < offset + length; ) {
      const most = Math.min(CHUNK, offset + length - at);
      const bytes = entry.readNow(most) ?? (await entry.read(most));
      if (bytes === undefined) throw cutOff();
      writeAt(file, bytes, at);
      at += bytes.length;
    }
    end = offset + length;
  }
  if (end === entry.size) return;
  const result = rawSyscall('ftruncate', file.fd, entry.size);
  if (result < 0) throw new SystemError(`${file.what}: make it ${entry.size} bytes long`, -result);
}

function writeAt({ fd, what }: OpenFile, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    const wrote = rawSyscall('pwrite64', fd, rest, rest.length, offset + done);
    if (wrote >= 0) done += wrote;
    else if (wrote !== errno('EINTR')) throw new SystemError(`${what}: write it`, -wrote);
  }
}

/** A second name of an entry before: found from the root, and linked by descriptor. */
function putLink(tree: Tree, entry: Entry, place: Place): void {
  const target = pathOfName(tree, entry.link);
  if (target === place.path) return;
  const words = `the hard link's target ${displayName(entry.link)}`;
  const pin = target === undefined || target === '' ? errno('ENOENT') : openBeneath(tree.root, target, PIN);
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].some((name) => pin === errno(name)))
    throw new TinyrunError('ARCHIVE', `${words} is no entry before it`);
  must(pin, `unpack ${displayName(place.path)}: open ${words}`);
  try {
    const inode = statInode(pin, `look at ${words}`);
    if (inode.type === S_IFDIR) throw new TinyrunError('ARCHIVE', `${words} is a directory`);
    if (tree.options.whiteouts === 'overlay' && isWhiteout(inode))
      throw new TinyrunError('ARCHIVE', `${words} is a whiteout`);
    take(tree, entry, place, (name) =>
      rawSyscall('linkat', AT_FDCWD, pathOf(pin), place.directory, name, AT_SYMLINK_FOLLOW),
    );
  } finally {
    close(pin);
  }
}

/** <linux/stat.h> */
const nodeTypes = { symlink: 0o120000, character: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

function putNode(tree: Tree, entry: Entry, kind: keyof typeof nodeTypes, place: Place): void {
  const { path, directory, base } = place;
  const type = nodeTypes[kind];
  const device = deviceOf(tree, entry);
  if (kind === 'symlink' && entry.link === '')
    throw new TinyrunError('ARCHIVE', 'a symlink without a target');
  take(tree, entry, place, (name) =>
    kind === 'symlink'
      ? rawSyscall('symlinkat', pathBytes(entry.link), directory, name)
      : rawSyscall('mknodat', directory, name, type | 0o600, device),
  );
  const what = `unpack ${displayName(path)}`;
  const pin = must(rawSyscall('openat', directory, pathBytes(base), PIN, 0), `${what}: look at it`);
  try {
    // Who swapped it must not get the attributes of another file, such as a setuid bit.
    if (statInode(pin, what).type !== type)
      throw new SystemError(`${what}: it was replaced meanwhile`, -errno('ESTALE'));
    const attributes = attributesOf(tree, entry);
    // A symlink has no mode.
    setAttributes(pin, attributes, what, kind === 'symlink' ? { mode: attributes.mode } : {});
  } finally {
    close(pin);
  }
}

/** As mknod(2) takes it: <linux/kdev_t.h>, new_encode_dev. */
function deviceOf({ options }: Tree, { type, major, minor }: Entry): number {
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
    throw new TinyrunError('ARCHIVE', `a device ${major}:${minor}, beyond what Linux has`);
  if (options.whiteouts === 'overlay' && type === 'character' && major === 0 && minor === 0)
    throw new TinyrunError('ARCHIVE', 'the character device 0:0, which would be a whiteout');
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
