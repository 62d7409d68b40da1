// The cgroups of this machine, whichever version it has, for tests of whole containers.

import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** Whether all controllers are in the unified hierarchy. */
export const isV2 = existsSync(join(ROOT, 'cgroup.controllers'));

/** The names of hierarchies' directories below /sys/fs/cgroup; of a unified one, the empty name. */
export const hierarchies: readonly string[] = isV2
  ? ['']
  : readdirSync(ROOT).filter((name) => existsSync(join(ROOT, name, 'cgroup.procs')));

/** Where a controller's hierarchy is; undefined if this machine has none of it. Names are those of v1. */
export function hierarchyOf(controller: string): string | undefined {
  if (!isV2) return hierarchies.includes(controller) ? join(ROOT, controller) : undefined;
  const name = { blkio: 'io', cpuacct: 'cpu', devices: '', freezer: '' }[controller] ?? controller;
  const there = readFileSync(join(ROOT, 'cgroup.controllers'), 'utf8').trim().split(' ');
  return name === '' || there.includes(name) ? ROOT : undefined;
}

/** The directories of a cgroup (by its absolute path from the mount) that are there. */
export const directoriesOf = (path: string): string[] =>
  hierarchies.map((name) => join(ROOT, name, path)).filter((directory) => existsSync(directory));

/** Removes cgroups, those below first, in all hierarchies: tests name them uniquely. */
export function removeCgroup(path: string): void {
  const remove = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) remove(join(directory, entry.name));
    rmdirSync(directory);
  };
  directoriesOf(path).forEach(remove);
}

/** /proc/self/cgroup as controllers -> path. */
export const parseCgroups = (text: string): Map<string, string> =>
  new Map(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
        return [controllers, path];
      }),
  );
