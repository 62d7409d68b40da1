// Programs that were planned before. A plan is a pure function of the config, the command line and the host, so the
// linked program of an earlier run serves again where all of that is the same: half of tinyrun's own time is saved.
//
//   STATE_ROOT/.programs/KEY    key, facts, offsets (JSON) and the executable
//   KEY                         SHA-256 of this build and its place, the command line, the host's facts and the text of config.json
//   facts                       what was found on disk when it was planned; looked at again before it is used
//   offsets                     where the id and the time of creation stand: the only things that differ
//
// Only for containers with a generated id in the foreground, without messages at planning: those must be said again.
// The directory belongs to root alone, so what is in it was written by tinyrun; a file is written aside and renamed.

import { close, rawSyscall, readInto, syscall, writeAll } from '../../native-bindings/libc.ts';
import type { HostFacts } from '../plan/host.ts';
import type { CgroupHierarchy } from '../plan/input.ts';
import { constants } from '../sys/constants.ts';
import { readDirectory } from './files.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { existsInRoot, findHome, openDirectory, probeCgroups, resolveDangling, statPath } from './probe.ts';

/** A digest of all sources, set by scripts/build.ts: programs of another build are never used. */
declare const TINYRUN_BUILD: string | undefined;

/** What planning looked at on disk, and what it saw. */
export interface Facts {
  /** Kinds of bind sources, of masked paths, of the rootfs. */
  kinds: [path: string, kind: string][];
  /** Whether mount destinations are in the rootfs; those that are not led through no symlink, either. */
  rootfs: string;
  present: [path: string, present: boolean][];
  /** Whose home was looked up in the rootfs' passwd, and what it is; uid -1: nobody's. */
  home: [uid: number, path: string];
  /** The host's hierarchies, where a mount of type cgroup shows them; else empty. */
  cgroups: readonly CgroupHierarchy[];
}

interface Header {
  key: string;
  size: number; // of the executable, bytes
  facts: Facts;
  ids: number[];
  times: number[];
}

const MOST_PROGRAMS = 100;
const utf8 = new TextEncoder();
const decoder = new TextDecoder();

/** Whether programs of such runs are kept at all. */
const isCacheable = (global: GlobalOptions, options: RunOptions): boolean =>
  options.form === 'bundle' &&
  options.lifecycle === 'foreground' &&
  !options.named &&
  options.engine === 'native' &&
  options.trace === undefined &&
  options.stepFd === undefined &&
  global.log === undefined &&
  !options.overlay;

/** The key of a run, or undefined where its program is not kept. */
export function programKey(
  global: GlobalOptions,
  options: RunOptions,
  host: HostFacts,
  config: string,
): string | undefined {
  if (typeof TINYRUN_BUILD === 'undefined' || host.euid !== 0 || !isCacheable(global, options))
    return undefined;
  const { now: _now, capBounding, sigIgnored, ...facts } = host;
  const rest = [
    TINYRUN_BUILD,
    process.execPath,
    global,
    { ...options, id: '' },
    facts,
    `${capBounding} ${sigIgnored}`,
  ];
  return new Bun.CryptoHasher('sha256').update(JSON.stringify(rest)).update(config).digest('hex');
}

/** The executable of an earlier run for this id and time; undefined if there is none, or the disk has changed. */
export function findProgram(root: string, key: string, id: string, created: string): Uint8Array | undefined {
  const directory = openPrograms(root);
  if (directory < 0) return undefined;
  const fd = rawSyscall('openat', directory, key, constants['O_RDONLY']! | constants['O_CLOEXEC']!);
  close(directory);
  if (fd < 0) return undefined;
  const bytes = readWhole(fd);
  close(fd);
  const end = bytes.indexOf(0x0a);
  if (end < 0) return undefined;
  const header = parseHeader(decoder.decode(bytes.subarray(0, end)));
  if (header?.key !== key || header.size !== bytes.length - end - 1 || !holds(header.facts)) return undefined;
  const image = bytes.subarray(end + 1);
  const put = (offsets: readonly number[], text: string): void => {
    const value = utf8.encode(text);
    for (const offset of offsets) image.set(value, offset);
  };
  put(header.ids, id);
  put(header.times, created);
  return image;
}

/** The header of a file; undefined where it is damaged: then the program is planned, and kept, again. */
function parseHeader(text: string): Header | undefined {
  try {
    return JSON.parse(text) as Header;
  } catch {
    return undefined;
  }
}

/** Keeps the executable of this run. Returns why it could not, for --debug. */
export function keepProgram(
  root: string,
  key: string,
  image: Uint8Array,
  facts: Facts,
  id: string,
  created: string,
): string | undefined {
  const header: Header = {
    key,
    size: image.length,
    facts,
    ids: offsetsOf(image, id),
    times: offsetsOf(image, created),
  };
  const directory = makePrograms(root);
  if (directory < 0) return `${root}/.programs cannot be used`;
  const aside = `.${key}.${process.pid}`;
  const how = constants['O_WRONLY']! | constants['O_CREAT']! | constants['O_EXCL']! | constants['O_CLOEXEC']!;
  const fd = rawSyscall('openat', directory, aside, how, 0o600);
  try {
    if (fd < 0) return `${root}/.programs takes no file`;
    writeAll(fd, utf8.encode(`${JSON.stringify(header)}\n`));
    writeAll(fd, image);
    syscall('put the program into its place', 'renameat2', directory, aside, directory, key, 0);
    return undefined;
  } catch (error) {
    rawSyscall('unlinkat', directory, aside, 0);
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (fd >= 0) close(fd);
    close(directory);
  }
}

/** Whether the disk still looks as it did. */
function holds({ kinds, rootfs, present, home: [uid, home], cgroups }: Facts): boolean {
  for (const [path, kind] of kinds) {
    const stat = statPath(path);
    if ((typeof stat === 'number' ? 'missing' : stat.kind) !== kind) return false;
  }
  const directory = openDirectory(rootfs);
  if (directory < 0) return false;
  const same = present.every(
    ([path, there]) =>
      existsInRoot(directory, path, true) === there &&
      (there ||
        existsInRoot(directory, path, false) ||
        resolveDangling([rootfs], path, new Set()) === undefined),
  );
  close(directory);
  if (cgroups.length > 0 && JSON.stringify(probeCgroups()) !== JSON.stringify(cgroups)) return false;
  return same && (uid < 0 || findHome([rootfs], uid) === home);
}

/** Where a text stands in the image. An id is random and a time has milliseconds: neither stands there by chance. */
function offsetsOf(image: Uint8Array, text: string): number[] {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
  const offsets: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) offsets.push(at);
  return offsets;
}

const [SEEK_SET, SEEK_END] = [0, 2];

function readWhole(fd: number): Uint8Array<ArrayBuffer> {
  const size = rawSyscall('lseek', fd, 0, SEEK_END);
  rawSyscall('lseek', fd, 0, SEEK_SET);
  const bytes = new Uint8Array(Math.max(size, 0));
  // A file here was renamed into its place when it was whole: less is no program.
  return readInto(fd, bytes) === bytes.length ? bytes : new Uint8Array();
}

/** The directory of programs, if it is root's alone; else a negative number. */
function openPrograms(root: string): number {
  const how = constants['O_DIRECTORY']! | constants['O_NOFOLLOW']! | constants['O_CLOEXEC']!;
  const fd = rawSyscall('openat', constants['AT_FDCWD']!, `${root}/.programs`, how);
  if (fd < 0) return fd;
  const stat = statPath(`/proc/self/fd/${fd}`);
  if (typeof stat !== 'number' && stat.uid === 0 && (stat.mode & 0o077) === 0) return fd;
  close(fd);
  return -1;
}

/** The same, made where it is missing, and emptied where it has grown large. */
function makePrograms(root: string): number {
  const cwd = constants['AT_FDCWD']!;
  // Should more of the way be missing, the host program makes it, and the next run finds it.
  rawSyscall('mkdirat', cwd, root, 0o711);
  rawSyscall('mkdirat', cwd, `${root}/.programs`, 0o700);
  const directory = openPrograms(root);
  if (directory < 0) return directory;
  const names = readDirectory(directory);
  if (names.length >= MOST_PROGRAMS) for (const name of names) rawSyscall('unlinkat', directory, name, 0);
  return directory;
}
