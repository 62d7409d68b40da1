// `image import`: whatever it is given, an OCI layout, an archive of `docker save`, or the tar of a root file system. What it
// is, its contents say, never its name.
//
// The first entry of a tar tells most of the time. If it does not, the tar is taken for a root file system, until a file shows
// up at its top that only archives have; then it is begun anew, where it can be read again.

import { close, flag, rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { decompress, detectCompression } from '../archive/compress.ts';
import { noProgress, startProgress } from '../archive/progress.ts';
import type { ByteSource } from '../archive/source.ts';
import { type OpenArchive, openArchive, type Stored, sourceOfStored } from '../archive/stored.ts';
import { AT_FDCWD } from '../disk/files.ts';
import { S_IFDIR, S_IFREG, statInode } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import type { ArchivedImage } from './archived.ts';
import { type Blobs, cleanName, openArchiveBlobs, openDirectoryBlobs, spoolArchiveBlobs } from './blobs.ts';
import type { Platform } from './descriptor.ts';
import { readDockerArchive } from './docker-archive.ts';
import { imageFolder, keepingLayers } from './folders.ts';
import { importArchived } from './import-archive.ts';
import { importRootfs } from './import-rootfs.ts';
import { isLayout, readLayout } from './oci-layout.ts';
import { peek } from './peek.ts';
import type { Reference } from './reference.ts';
import { findImage, type Image } from './store.ts';
import { syncOldLayers } from './unsynced.ts';

export interface ImportOptions {
  /** Name for the image; of an archive of several, the one that has this name. */
  name: Reference | undefined;
  /** Of root file systems only: Dockerfile instructions, and the comment in the history. */
  changes: readonly string[];
  message: string | undefined;
  platform: Platform | undefined;
  /** No line that shows how far it is. */
  quiet: boolean;
}

export interface ImportedImage {
  image: Image;
  /** Those that it got. */
  names: Reference[];
  /** Names that another image lost by it, and that image's id. */
  taken: { name: string; id: string }[];
}

export type Imported = { kind: 'rootfs'; image: Image } | { kind: 'archive'; images: ImportedImage[] };

/** A file that is being imported; without a range it is a stream, which is read once. */
interface Input extends Stored {
  dataRoot: string;
  /** As it was given. */
  given: string;
  options: ImportOptions;
}

/**
 * Imports images.
 * @param path of a file or of the directory of an OCI layout, absolute; `-`: standard input
 * @param given the same as it was given, for messages and histories
 * @throws TinyrunError NOT_FOUND, ARCHIVE, CONFIG, USAGE, UNSUPPORTED; SystemError
 */
export async function importImages(
  dataRoot: string,
  path: string,
  given: string,
  options: ImportOptions,
): Promise<Imported> {
  const name = path === '-' ? 'standard input' : given;
  const how = flag('O_RDONLY', 'O_CLOEXEC');
  const fd = path === '-' ? 0 : syscall(`open ${name}`, 'openat', AT_FDCWD, path, how, 0);
  try {
    const { type, size } = statInode(fd, `look at ${name}`);
    return await keepingLayers(dataRoot, async () => {
      syncOldLayers(dataRoot);
      if (type === S_IFDIR) return await importDirectory(dataRoot, path, name, options);
      const again = type === S_IFREG && rawSyscall('lseek', fd, 0, flag('SEEK_CUR')) === 0;
      return await importFile({
        dataRoot,
        fd,
        name,
        given,
        range: again ? { offset: 0, size } : undefined,
        options,
      });
    });
  } finally {
    if (path !== '-') close(fd);
  }
}

async function importDirectory(
  dataRoot: string,
  path: string,
  name: string,
  options: ImportOptions,
): Promise<Imported> {
  const blobs = openDirectoryBlobs(path);
  try {
    if (!isLayout(blobs))
      throw new TinyrunError('ARCHIVE', `${name} is a directory without oci-layout, so it is no OCI layout`, {
        hint: `to import it as a root file system: tar -C ${name} -c . | tinyrun image import - NAME`,
      });
    return await importAll(dataRoot, blobs, await readLayout(blobs, options.platform), options);
  } finally {
    blobs.close();
  }
}

/** Names of first entries of archives: what Docker, podman, skopeo and others write. */
const ARCHIVE =
  /^(blobs(\/.*)?|oci-layout|index\.json|manifest\.json|repositories|(sha256:)?[0-9a-f]{64}([./].*)?)$/;
/** Files at the top of archives, and hardly of root file systems. */
const ARCHIVE_FILES = ['manifest.json', 'oci-layout'];

/** Thrown where a root file system turns out to be an archive. */
class ArchiveFound extends Error {}

const importFile = (input: Input): Promise<Imported> =>
  input.range === undefined ? withInput(input, (tar) => importPipe(input, tar)) : importRegular(input);

/** What is read once: it is looked into on the way. */
async function importPipe(input: Input, tar: OpenArchive): Promise<Imported> {
  const { source, first } = await peek(tar.source);
  if (!ARCHIVE.test(first)) {
    try {
      return await importRoot(input, Object.assign(tar, { source }), true);
    } catch (error) {
      throw error instanceof ArchiveFound ? needsFile(input) : error;
    }
  }
  const blobs = await spoolArchiveBlobs(imageFolder(input.dataRoot), source, input.name);
  const imported = await importBlobs(input, blobs);
  if (imported === undefined) throw noImages(input);
  return imported;
}

/** What is begun anew when it is known what it is. */
async function importRegular(input: Input): Promise<Imported> {
  const start = await peek(contentsOf(input));
  await start.close();
  const seems = ARCHIVE.test(start.first);
  if (!seems) {
    try {
      return await withInput(input, (tar) => importRoot(input, tar, true));
    } catch (error) {
      if (!(error instanceof ArchiveFound)) throw error;
    }
  }
  const imported = await importBlobs(input, await openBlobs(input));
  if (imported !== undefined) return imported;
  if (seems) throw noImages(input);
  return await withInput(input, (tar) => importRoot(input, tar, false)); // one of its own files happens to have that name
}

/** Undefined where there are no images in it. */
async function importBlobs(input: Input, blobs: Blobs): Promise<Imported | undefined> {
  try {
    const mayHave = isLayout(blobs) || blobs.size('manifest.json') !== undefined;
    const images = mayHave ? await readAny(blobs, input) : undefined;
    return images && (await importAll(input.dataRoot, blobs, images, input.options));
  } finally {
    blobs.close();
  }
}

const noImages = ({ name }: Input): TinyrunError =>
  new TinyrunError('ARCHIVE', `${name}: it has neither a manifest.json of Docker nor an oci-layout`);

/** An archive of Docker that is a layout, too, has its names in manifest.json. */
const readAny = async (blobs: Blobs, { options }: Input): Promise<ArchivedImage[] | undefined> =>
  (await readDockerArchive(blobs)) ??
  (isLayout(blobs) ? await readLayout(blobs, options.platform) : undefined);

const needsFile = ({ name }: Input): TinyrunError =>
  new TinyrunError(
    'ARCHIVE',
    `${name}: it is an image archive, which showed only behind files of another kind`,
    {
      hint: 'write it to a file, and import that: it has to be read twice',
    },
  );

/** Reads it from its beginning, uncompressed and hashed; a line on the terminal shows how far it is. */
async function withInput<T>(input: Input, use: (tar: OpenArchive) => Promise<T>): Promise<T> {
  const { name, range, options } = input;
  const progress = options.quiet ? noProgress : startProgress(`import ${name}`, range?.size);
  const tar = await openArchive(input, { advance: progress.advance });
  try {
    return await use(tar);
  } finally {
    tar.close();
    progress.end();
  }
}

/** The same to look into, where nobody needs a digest. */
const contentsOf = (input: Input): ByteSource => decompress(sourceOfStored(input));

async function importRoot(input: Input, tar: OpenArchive, guarded: boolean): Promise<Imported> {
  const onEntry = (name: string): void => {
    if (ARCHIVE_FILES.some((file) => name.endsWith(file) && cleanName(name) === file))
      throw new ArchiveFound();
  };
  const options = { ...input.options, from: input.given, onEntry: guarded ? onEntry : undefined };
  return { kind: 'rootfs', image: await importRootfs(input.dataRoot, tar, options) };
}

/** A file that is a plain tar is read where it is; anything else goes through a file of ours. */
async function openBlobs(input: Input): Promise<Blobs> {
  const { dataRoot, fd, name } = input;
  const start = new Uint8Array(6);
  const got = rawSyscall('pread64', fd, start, start.length, 0);
  if (got <= 0 || detectCompression(start) !== 'none')
    return await spoolArchiveBlobs(imageFolder(dataRoot), contentsOf(input), name);
  const own = syscall(`open ${name}`, 'fcntl', fd, flag('F_DUPFD_CLOEXEC'), 3);
  return await openArchiveBlobs(own, contentsOf(input), name);
}

async function importAll(
  dataRoot: string,
  blobs: Blobs,
  images: readonly ArchivedImage[],
  options: ImportOptions,
): Promise<Imported> {
  if (options.changes.length > 0 || options.message !== undefined)
    throw new TinyrunError(
      'USAGE',
      `${blobs.name} is an image archive: its images are imported as they are`,
      {
        hint: '--change and --message are for root file systems',
      },
    );
  const imported: ImportedImage[] = [];
  for (const archived of chooseNamed(blobs, images, options.name)) {
    const names = options.name === undefined ? archived.names : [options.name];
    const before = names.map(({ familiar }) => ({ name: familiar, id: findImage(dataRoot, familiar)?.id }));
    const image = await importArchived(dataRoot, blobs, archived, { names, quiet: options.quiet });
    const taken = before.flatMap(({ name, id }) =>
      id === undefined || id === image.id ? [] : [{ name, id }],
    );
    imported.push({ image, names, taken });
  }
  return { kind: 'archive', images: imported };
}

/** @throws TinyrunError USAGE where a name is given that none of several images has */
function chooseNamed(
  blobs: Blobs,
  images: readonly ArchivedImage[],
  name: Reference | undefined,
): readonly ArchivedImage[] {
  if (name === undefined || images.length === 1) return images;
  const chosen = images.filter(({ names }) => names.some(({ familiar }) => familiar === name.familiar));
  if (chosen.length > 0) return chosen;
  const all = images.flatMap(({ names }) => names.map(({ familiar }) => familiar));
  throw new TinyrunError(
    'USAGE',
    `${blobs.name} has ${images.length} images, and none is named ${name.familiar}`,
    {
      hint: `they are ${all.join(', ') || 'without names'}; without a name all are imported`,
    },
  );
}
