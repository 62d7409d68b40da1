// Programs that were planned before. A plan is a pure function of the config, the command line and the host, so the
// linked program of an earlier run serves again where all of that is the same: half of tinyrun's own time is saved.
//
//   STATE_ROOT/.programs/KEY    key, facts, offsets (JSON) and the executable
//   KEY                         SHA-256 of this build and its place, the command line, the host's facts and the text of config.json
//   facts                       what was found on disk when it was planned; looked at again before it is used
//   offsets                     where the id and the time of creation stand: the only things that differ
//
// Only for containers with a generated id in the foreground, without messages at planning: those must be said again.
// How such files are kept safely: kept.ts.

import { close } from '../../native-bindings/libc.ts';
import type { CgroupHierarchy } from '../cgroup/path.ts';
import type { HostFacts } from '../plan/host.ts';
import { findKept, keep } from './kept.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import {
  existsInRoot,
  findHome,
  openDirectory,
  probeCgroups,
  probeControllers,
  resolveDangling,
  statPath,
} from './probe.ts';

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
  /** The host's hierarchies, where they matter; else empty. */
  cgroups: readonly CgroupHierarchy[];
  /** What the unified one has to hand on. */
  controllers: readonly string[];
}

interface Header {
  key: string;
  size: number; // of the executable, bytes
  facts: Facts;
  ids: number[];
  times: number[];
}

const FOLDER = '.programs';
const MOST_PROGRAMS = 100;
const utf8 = new TextEncoder();

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
  const kept = findKept(root, FOLDER, key);
  const header = kept?.header as Header | undefined;
  if (kept === undefined || header?.key !== key || header.size !== kept.body.length || !holds(header.facts))
    return undefined;
  const image = kept.body;
  const put = (offsets: readonly number[], text: string): void => {
    const value = utf8.encode(text);
    for (const offset of offsets) image.set(value, offset);
  };
  put(header.ids, id);
  put(header.times, created);
  return image;
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
  return keep(root, FOLDER, key, header, image, MOST_PROGRAMS);
}

/** Whether the disk still looks as it did. */
function holds({ kinds, rootfs, present, home: [uid, home], cgroups, controllers }: Facts): boolean {
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
  if (cgroups.length > 0 && !isSame(probeCgroups(), cgroups)) return false;
  if (controllers.length > 0 && !isSame(probeControllers(cgroups), controllers)) return false;
  return same && (uid < 0 || findHome([rootfs], uid) === home);
}

const isSame = (now: unknown, then: unknown): boolean => JSON.stringify(now) === JSON.stringify(then);

/** Where a text stands in the image. An id is random and a time has milliseconds: neither stands there by chance. */
function offsetsOf(image: Uint8Array, text: string): number[] {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
  const offsets: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) offsets.push(at);
  return offsets;
}
