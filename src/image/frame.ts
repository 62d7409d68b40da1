// What an archive has besides the contents of its files, kept beside the unpacked layer, so that the same archive can be made
// again, byte by byte, and keeps its digest: headers, padding, the order of entries. (Docker keeps tar-split.json.gz for
// this, which wants a checksum of a kind of its own for each file; here the layer's digest is checked as a whole.)
//
// The file is zstd of records. Each begins with a line of JSON:
//
//   {"frame":N }                           N bytes follow, which are the archive's next ones
//   {"content":PATH,"regions":[[O,L],..]}  the next bytes are those that this file has there
//   {"replaced":PATH}                      what had this path is `replaced/N` from here on, counted from 0
//
// A path is a string of a character a byte.

import { close, flag, syscall, writeAll } from '../../native-bindings/libc.ts';
import { decompress } from '../archive/compress.ts';
import { openBeneath } from '../archive/directories.ts';
import { type ByteString, displayName, splitPath } from '../archive/names.ts';
import { outputTo, putRegion } from '../archive/output.ts';
import { type Reader, readerOf } from '../archive/reader.ts';
import { type ByteSink, sourceOfFile } from '../archive/source.ts';
import type { Recorder } from '../archive/unpack-options.ts';
import { AT_FDCWD, DIRECTORY } from '../disk/files.ts';
import { must } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';

export const FRAME = 'frame.zst';
/** Beside `diff`: what entries have replaced that came before them in the same archive. */
export const REPLACED = 'replaced';

type Mark =
  | { frame: number }
  | { content: ByteString; regions: readonly (readonly [offset: number, length: number])[] }
  | { replaced: ByteString };

/** Bytes compressed at once. */
const CHUNK = 256 * 1024;
/** The line before bytes of the archive; their number, of at most 6 digits, is put into it when it is known. */
const FRAME_LINE = Buffer.from(`{"frame":${' '.repeat(6)}}\n`);
const FRAME_LENGTH_AT = FRAME_LINE.indexOf(' ');
const utf8 = new TextEncoder();

export interface FrameWriter extends Recorder {
  /** Writes what is left. */
  end(): void;
  close(): void;
}

/**
 * Begins a frame.
 * @param folder of the layer
 * @param path of the file to write
 * @throws SystemError, as do all of its functions
 */
export function writeFrame(folder: string, path: string): FrameWriter {
  const how = flag('O_WRONLY', 'O_CREAT', 'O_EXCL', 'O_CLOEXEC');
  const fd = syscall(`make ${path}`, 'openat', AT_FDCWD, path, how, 0o600);
  const out = recordsTo(fd);
  let aside = -1;
  let asides = 0;
  return {
    frame: out.frame,
    content(file, regions) {
      if (regions.length === 0) return;
      // There is one for each file: JSON.stringify of all of it takes three times as long.
      const places = regions.map(({ offset, length }) => `[${offset},${length}]`);
      out.mark(`{"content":${JSON.stringify(file)},"regions":[${places.join()}]}`);
    },
    replaced(file) {
      out.mark(JSON.stringify({ replaced: file } satisfies Mark));
      if (aside < 0) {
        const directory = `${folder}/${REPLACED}`;
        syscall(`make ${directory}`, 'mkdirat', AT_FDCWD, directory, 0o700);
        aside = syscall(`open ${directory}`, 'openat', AT_FDCWD, directory, DIRECTORY, 0);
      }
      return { directory: aside, name: String(asides++) };
    },
    end: out.flush,
    close() {
      close(fd);
      if (aside >= 0) close(aside);
    },
  };
}

/** Records, through a buffer that is compressed when it is full. */
function recordsTo(fd: number): Pick<Recorder, 'frame'> & { mark(line: string): void; flush(): void } {
  const buffer = Buffer.alloc(CHUNK);
  let used = 0;
  /** Where the bytes of the last record begin, if they are the archive's and more of them may follow. */
  let frame: number | undefined;

  const endFrame = (): void => {
    if (frame !== undefined) buffer.write(String(used - frame), frame - FRAME_LINE.length + FRAME_LENGTH_AT);
    frame = undefined;
  };
  const flush = (): void => {
    endFrame();
    // Frames of zstd one behind the other are one stream.
    if (used > 0) writeAll(fd, Bun.zstdCompressSync(buffer.subarray(0, used), { level: 1 }));
    used = 0;
  };
  /** Puts what there is room for; returns how many bytes of it are put, counted from its beginning. */
  const put = (bytes: Uint8Array, from: number): number => {
    const to = Math.min(bytes.length, from + CHUNK - used);
    buffer.set(to - from === bytes.length ? bytes : bytes.subarray(from, to), used);
    used += to - from;
    return to;
  };

  return {
    frame(bytes) {
      for (let done = 0; done < bytes.length; ) {
        if (frame === undefined) {
          if (CHUNK - used <= FRAME_LINE.length) flush();
          put(FRAME_LINE, 0);
          frame = used;
        }
        done = put(bytes, done);
        if (used === CHUNK) flush();
      }
    },
    mark(line) {
      endFrame();
      const bytes = utf8.encode(`${line}\n`);
      for (let done = 0; done < bytes.length; ) {
        if (used === CHUNK) flush();
        done = put(bytes, done);
      }
    },
    flush,
  };
}

/**
 * Makes an archive again.
 * @param folder of the layer, with `diff` in it
 * @param path of its frame
 * @throws TinyrunError ARCHIVE where the frame is damaged; SystemError where a file of the layer is gone
 */
export async function replayFrame(folder: string, path: string, sink: ByteSink): Promise<void> {
  const root = syscall(`open ${folder}`, 'openat', AT_FDCWD, folder, DIRECTORY, 0);
  try {
    const place = await whereFilesAre(path);
    const out = outputTo(sink);
    for await (const { mark, bytes } of readMarks(path)) {
      for await (const chunk of bytes) {
        if (out.full) await out.flush();
        out.put(chunk);
      }
      if (!('content' in mark)) continue;
      const file = place(mark.content);
      const what = `read ${displayName(file)} of layer ${folder}`;
      const fd = must(openBeneath(root, file, READ), what);
      try {
        for (const [offset, length] of mark.regions) await putRegion(out, fd, { offset, length }, what);
      } finally {
        close(fd);
      }
    }
    await out.flush();
  } finally {
    close(root);
  }
}
const READ = flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC');

/**
 * Where a file is now whose contents an archive had: in its place, or among what was replaced later.
 * @returns asked with one path of the archive after the other, in their order, the place from the layer's folder
 */
async function whereFilesAre(path: string): Promise<(path: ByteString) => ByteString> {
  /** By path, when it was replaced, and as what. */
  const replaced = new Map<ByteString, { at: number; name: string }[]>();
  let at = 0;
  let count = 0;
  for await (const { mark, bytes } of readMarks(path)) {
    for await (const _ of bytes);
    if ('content' in mark) at++;
    if (!('replaced' in mark)) continue;
    const moves = replaced.get(mark.replaced) ?? [];
    moves.push({ at, name: `${REPLACED}/${count++}` });
    replaced.set(mark.replaced, moves);
  }
  let asked = 0;
  return (file) => {
    asked++;
    let first: { at: number; place: string } | undefined;
    // It may have gone together with a directory that it was in. Those that lie behind are not asked for again.
    for (let above = file; replaced.size > 0 && above !== ''; above = splitPath(above).parent) {
      const moves = replaced.get(above) ?? [];
      while (moves.length > 0 && moves[0]!.at < asked) moves.shift();
      const move = moves[0];
      if (move !== undefined && (first === undefined || move.at < first.at))
        first = { at: move.at, place: move.name + file.slice(above.length) };
    }
    return first?.place ?? `diff/${file}`;
  };
}

const damaged = (path: string, why: string): TinyrunError =>
  new TinyrunError('ARCHIVE', `read ${path}: it is damaged: ${why}`);

/** The records of a frame, each with the bytes behind it, which must be read. */
async function* readMarks(path: string): AsyncGenerator<{ mark: Mark; bytes: AsyncIterable<Uint8Array> }> {
  const reader = readerOf(decompress(sourceOfFile(path)));
  try {
    for (let line = await readLine(reader, path); line !== undefined; line = await readLine(reader, path)) {
      const mark = toMark(line, path);
      yield { mark, bytes: bytesBehind(reader, 'frame' in mark ? mark.frame : 0, path) };
    }
  } finally {
    await reader.close();
  }
}

async function* bytesBehind(reader: Reader, length: number, path: string): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; ) {
    const bytes = await reader.some(left);
    if (bytes === undefined) throw damaged(path, 'it is cut off');
    left -= bytes.length;
    yield bytes;
  }
}

/** A line without its end; undefined behind the last one. */
async function readLine(reader: Reader, path: string): Promise<string | undefined> {
  const parts: Buffer[] = []; // a character may be in two of them
  for (;;) {
    const bytes = await reader.until(0x0a);
    if (bytes.length === 0) {
      if (parts.length > 0) throw damaged(path, 'it is cut off');
      return undefined;
    }
    const end = bytes.at(-1) === 0x0a;
    parts.push(Buffer.from(end ? bytes.subarray(0, -1) : bytes));
    if (end) return Buffer.concat(parts).toString('utf8');
  }
}

function toMark(line: string, path: string): Mark {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw damaged(path, 'a line is no JSON');
  }
  if (isMark(value)) return value;
  throw damaged(path, 'a line is no record');
}

function isMark(value: unknown): value is Mark {
  if (typeof value !== 'object' || value === null) return false;
  if ('frame' in value) return Number.isSafeInteger(value.frame) && Number(value.frame) > 0;
  if ('replaced' in value) return typeof value.replaced === 'string';
  return (
    'content' in value &&
    typeof value.content === 'string' &&
    'regions' in value &&
    Array.isArray(value.regions) &&
    value.regions.every(
      (region) => Array.isArray(region) && region.length === 2 && region.every(Number.isSafeInteger),
    )
  );
}
