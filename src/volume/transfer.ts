// Volumes as tar streams: `export` and `import`. An import into a volume that is there adds to it; until it is through,
// a file beside the data says so, and where it was interrupted, that stays: nobody takes half an import for a whole one.

import { close, SystemError, syscall } from '../../native-bindings/libc.ts';
import { decompress } from '../archive/compress.ts';
import { packTree } from '../archive/pack.ts';
import { type ByteSink, type ByteSource, watched } from '../archive/source.ts';
import { unpackTar } from '../archive/unpack.ts';
import { AT_FDCWD, DIRECTORY } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { withNewData } from './clone.ts';
import { interruptedImports, markImport } from './interrupted.ts';
import { withData } from './mounted.ts';
import { findRecord } from './record.ts';
import { createVolume } from './store.ts';

/** Volumes are as large as disks: no archive is too large for one. */
const LIMITS = { bytes: Number.MAX_SAFE_INTEGER, entries: Number.MAX_SAFE_INTEGER };

/**
 * Writes all that is in a volume as a tar archive: its directory as `./`, owners, modes, times, extended attributes, hard
 * links, holes. Names are resolved by descriptors; who swaps one for a symlink meanwhile gets nothing in that is not the
 * volume's (CVE-2023-0778).
 * @param onChanged told of files that changed while they were read
 * @throws TinyrunError NOT_FOUND; SystemError
 */
export const exportVolume = (
  dataRoot: string,
  name: string,
  sink: ByteSink,
  onChanged: (file: string) => void,
): Promise<void> =>
  withData(dataRoot, name, async (data) => {
    const fd = syscall(`export volume ${name}: open it`, 'openat', AT_FDCWD, data, DIRECTORY, 0);
    try {
      await packTree(fd, sink, { whiteouts: 'plain', onChanged });
    } finally {
      close(fd);
    }
  });

/**
 * Unpacks a tar archive, which may be compressed, into a volume: created where it is missing, else added to.
 * @param from what the archive is called, for messages
 * @param onBytes told of the archive's bytes as they are read
 * @throws TinyrunError, which says whether a part of it is in the volume now
 */
export async function importVolume(
  dataRoot: string,
  name: string,
  source: ByteSource,
  from: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const archive = decompress(watched(source, (chunk) => onBytes(chunk.length)));
  const unpack = (data: string): Promise<void> => unpackInto(data, archive);
  if (findRecord(dataRoot, name) !== undefined) return importInto(dataRoot, name, from, unpack);
  await createVolume(dataRoot, { name, driver: 'local' }, (directory, record) =>
    withNewData(dataRoot, name, directory, record, unpack).catch((error: unknown) => {
      throw failed(name, from, error, 'no volume was made');
    }),
  );
}

async function unpackInto(data: string, archive: ByteSource): Promise<void> {
  const fd = syscall(`open ${data}`, 'openat', AT_FDCWD, data, DIRECTORY, 0);
  try {
    await unpackTar(fd, archive, { whiteouts: 'plain', limits: LIMITS });
  } finally {
    close(fd);
  }
}

const importInto = (
  dataRoot: string,
  name: string,
  from: string,
  unpack: (data: string) => Promise<void>,
): Promise<void> =>
  withData(dataRoot, name, async (data, directory) => {
    const marker = markImport(directory, from);
    try {
      await unpack(data);
    } catch (error) {
      throw failed(name, from, error, 'a part of it is in the volume now');
    }
    // What was interrupted before is there now, whole.
    const before = interruptedImports(dataRoot, name).filter((other) => other.from === from);
    for (const over of [...before.map((other) => other.marker), marker])
      syscall(`end the import into volume ${name}`, 'unlinkat', AT_FDCWD, `${directory}/${over}`, 0);
  });

function failed(name: string, from: string, error: unknown, state: string): unknown {
  if (!(error instanceof TinyrunError || error instanceof SystemError)) return error;
  const hint = error instanceof TinyrunError ? error.hint : undefined;
  return new TinyrunError('ARCHIVE', `import ${from} into volume ${name}: ${error.message} (${state})`, {
    hint,
    cause: error,
    data: { volume: name },
  });
}
