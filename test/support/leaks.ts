// What a suite may leave behind on a machine: taken before and after, any difference is a failure.

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { scaled } from './time.ts';

/** By kind, the things found; compared as text. */
export type Snapshot = Record<string, string[]>;

/** Set in the environment of all test processes, so that those left can be told from the machine's own. */
export const MARK = 'TINYRUN_TEST_RUN';

/** The result of reading something that may vanish meanwhile, or be none of our business (EACCES). */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL', 'ENODEV'].includes(String(code)))
      return otherwise;
    throw error;
  }
}

const text = (path: string) => attempt(() => readFileSync(path, 'utf8'), '');

/** Paths below `dir`, itself not included, as deep as `depth`. */
function tree(dir: string, depth: number, only: 'all' | 'directories' = 'all'): string[] {
  if (depth === 0) return [];
  const entries = attempt(() => readdirSync(dir, { withFileTypes: true }), []);
  return entries.flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return [path, ...tree(path, depth - 1, only)];
    return only === 'all' ? [path] : [];
  });
}

/** Processes of the suite: marked, named so, or in a mount namespace made of a tinyrun bundle; with their namespaces. */
function processes(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    const proc = `/proc/${pid}`;
    const name = text(`${proc}/comm`).trim();
    const ours =
      name.startsWith('tinyrun') ||
      text(`${proc}/environ`).includes(`${MARK}=${process.pid}\0`) ||
      text(`${proc}/mountinfo`).includes('/tmp/tinyrun-test-');
    if (!ours) return [];
    const kinds = attempt(() => readdirSync(`${proc}/ns`), []);
    const namespaces = kinds.map((kind) => attempt(() => readlinkSync(`${proc}/ns/${kind}`), ''));
    const own = namespaces.filter((namespace, i) => namespace !== readlinkSync(`/proc/self/ns/${kinds[i]}`));
    return [[pid, name, text(`${proc}/cmdline`).replaceAll('\0', ' ').trim(), ...own].join(' ')];
  });
}

/** Takes stock of this machine. */
export function takeSnapshot(): Snapshot {
  const device = statSync('/dev/null');
  return {
    mount: text('/proc/self/mountinfo').split('\n'),
    // Of containers of images it is named by their ids.
    cgroup: tree('/sys/fs/cgroup', 6, 'directories').filter((path) => /tinyrun|\/[0-9a-f]{64}$/.test(path)),
    process: processes(),
    'loop device': readdirSync('/sys/block').flatMap(
      (name) => text(`/sys/block/${name}/loop/backing_file`) || [],
    ),
    file: [
      ...tree('/tmp', 1).filter((path) => path.startsWith('/tmp/tinyrun')),
      ...tree('/run/tinyrun', 3),
      ...tree('/var/lib/tinyrun', 3),
    ],
    '/dev/null': [
      `mode ${device.mode.toString(8)}, owner ${device.uid}:${device.gid}, device ${device.rdev}`,
    ],
  };
}

/** Returns one line for each difference between two snapshots. */
export function compareSnapshots(before: Snapshot, after: Snapshot): string[] {
  return Object.keys(before).flatMap((kind) => {
    const [old = [], now = []] = [before[kind], after[kind]];
    return [
      ...now.filter((thing) => !old.includes(thing)).map((thing) => `${kind} left behind: ${thing}`),
      ...old.filter((thing) => !now.includes(thing)).map((thing) => `${kind} gone: ${thing}`),
    ];
  });
}

/** The differences that are still there after two seconds: what is being torn down gets time to go. */
export async function findLeaks(before: Snapshot): Promise<string[]> {
  for (let tries = scaled(20); ; tries--) {
    const leaks = compareSnapshots(before, takeSnapshot());
    if (leaks.length === 0 || tries === 0) return leaks;
    await Bun.sleep(100);
  }
}
