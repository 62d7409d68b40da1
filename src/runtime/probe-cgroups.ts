// Which hierarchies of cgroups the host has, where the caller is in them, and which controllers there are. cgroups(7).

import { type CgroupHierarchy, isUnified } from '../cgroup/path.ts';
import { readText, refused, statPath } from './probe.ts';

/** The cgroup hierarchies of the host and where the caller is in them: cgroups(7), /proc/self/cgroup, mountinfo. */
export const probeCgroups = (): CgroupHierarchy[] => mountedHierarchies(readCgroupFiles());

/** Where all mounts are listed, and what a line has in it that is about a hierarchy of cgroups. */
export const MOUNTS = '/proc/self/mountinfo';
export const CGROUP_MOUNT = ' - cgroup';

/** The files that tell of them, by their paths. */
interface CgroupFiles {
  '/proc/self/cgroup': string;
  [MOUNTS]: string;
}

/** undefined where they cannot be read. */
export function readCgroupFiles(): CgroupFiles | undefined {
  const own = readText('/proc/self/cgroup', 1 << 20);
  const mounts = readText(MOUNTS, 1 << 26);
  if (typeof own === 'number' || typeof mounts === 'number') return undefined;
  return { '/proc/self/cgroup': own, [MOUNTS]: mounts };
}

/** The hierarchies that those files tell of. */
export function mountedHierarchies(files: CgroupFiles | undefined): CgroupHierarchy[] {
  if (files === undefined) return [];
  const { '/proc/self/cgroup': own, [MOUNTS]: mounts } = files;
  const paths = new Map(
    own
      .trim()
      .split('\n')
      .map((line) => {
        const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
        return [controllers, path] as const;
      }),
  );
  const hierarchies: CgroupHierarchy[] = [];
  for (const line of mounts.split('\n')) {
    if (!line.includes(CGROUP_MOUNT)) continue;
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    const [, , , root = '/', mountPoint = ''] = before.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const names = options.split(',');
    const controllers =
      type === 'cgroup2'
        ? ''
        : [...paths.keys()].find((key) => key !== '' && key.split(',').every((name) => names.includes(name)));
    if (controllers === undefined || hierarchies.some((known) => known.controllers === controllers)) continue;
    hierarchies.push({ controllers, mountPoint, path: pathBelow(root, paths.get(controllers) ?? '/') });
  }
  return hierarchies;
}

/** In a container without a cgroup namespace, the path is the host's, and what is mounted a part of its tree. */
function pathBelow(root: string, path: string): string {
  if (root === '/') return path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
}

/** Whether the kernel counts, and so can limit, what is in swap. The top of the unified hierarchy has no file that would tell. */
export function countsSwap(): boolean {
  const memory = probeCgroups().find(({ controllers }) => controllers.split(',').includes('memory'));
  const isThere = (path: string): boolean => typeof statPath(path) !== 'number';
  if (memory !== undefined) return isThere(`${memory.mountPoint}/memory.memsw.limit_in_bytes`);
  return isThere('/proc/swaps') && !/\bswapaccount=0\b/.test(String(readText('/proc/cmdline', 4096)));
}

/** The file that tells of them. */
export const controllersFile = (hierarchies: readonly CgroupHierarchy[]): string =>
  `${hierarchies[0]!.mountPoint}/cgroup.controllers`;

/** What the unified hierarchy has to hand on, where all controllers are in it: the cgroup.controllers of its top. */
export function probeControllers(hierarchies: readonly CgroupHierarchy[]): string[] {
  if (!isUnified(hierarchies)) return [];
  const path = controllersFile(hierarchies);
  const text = readText(path, 4096);
  if (typeof text === 'number') throw refused('HOST', `read ${path}`, -text);
  return text.trim().split(' ').filter(Boolean);
}
