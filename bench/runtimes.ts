// The command lines that are compared: tinyrun, and whatever of the others this machine has.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mount, umount2, unshare } from '../native-bindings/libc.ts';
import { allConstants } from '../src/sys/constants.ts';
import type { Place } from './bundle.ts';

export const tinyrun = join(import.meta.dir, '../dist/tinyrun');

/** A program that runs OCI bundles. */
export interface Runtime {
  name: 'tinyrun' | 'crun' | 'runc';
  /** It with its own state root, in front of a verb and its words. */
  command(words: readonly string[]): string[];
  /** `run` of a bundle, in the foreground. */
  run(bundle: string, id: string): string[];
  /** `delete --force`. */
  remove(id: string): string[];
}

/** tinyrun with its own state and data below `place`. */
export const tinyrunCommand = ({ dir }: Place): string[] => [
  ...[tinyrun, '--root', join(dir, 'tinyrun'), '--data-root', join(dir, 'tinyrun-data')],
];

/**
 * The OCI runtimes that are installed, tinyrun first.
 * @param cgroups whether tinyrun and crun make cgroups; runc always does
 */
export function findRuntimes(place: Place, cgroups: boolean): Runtime[] {
  const manager = cgroups ? [] : ['--cgroup-manager=disabled'];
  const all: [Runtime['name'], string[]][] = [
    ['tinyrun', [...tinyrunCommand(place), ...manager]],
    ['crun', ['crun', '--root', join(place.dir, 'crun'), ...manager]],
    ['runc', ['runc', '--root', join(place.dir, 'runc')]],
  ];
  return all
    .filter(([name]) => name === 'tinyrun' || Bun.which(name) !== null)
    .map(([name, words]) => ({
      name,
      command: (more) => [...words, ...more],
      run: (bundle, id) => [...words, 'run', '--bundle', bundle, id],
      remove: (id) => [...words, 'delete', '--force', id],
    }));
}

/** What makes namespaces without an OCI config, and what makes none: by what the table calls it, the slowest last. */
export function findSandboxes({ rootfs }: Place): { name: string; command: string[] }[] {
  const bwrap = [
    'bwrap',
    '--unshare-all',
    '--ro-bind',
    rootfs,
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
  ];
  const all = [
    { name: 'fork and exec, no container', command: [join(rootfs, 'payload'), 'true'] },
    {
      name: '`unshare -fpmniuC chroot`',
      command: ['unshare', '-fpmniuC', 'chroot', rootfs, '/payload', 'true'],
    },
    { name: '`bwrap --unshare-all`', command: [...bwrap, '/payload', 'true'] },
  ];
  return all.filter(({ command }) => Bun.which(command[0]!) !== null);
}

/** `crun version 1.8.1, runc version 1.1.5, ...` of what is installed. */
export function versions(): string {
  return [tinyrun, 'crun', 'runc', 'bwrap', 'unshare']
    .filter((name) => Bun.which(name) !== null)
    .map((name) => Bun.spawnSync([name, '--version']).stdout.toString().split('\n')[0]!)
    .join(', ');
}

const UNIFIED = '/sys/fs/cgroup/unified';

/**
 * crun refuses machines with cgroups of both versions. Hides version 2 from this process and what it starts, in a mount
 * namespace of its own: nothing changes for others. Returns whether that was needed.
 */
export function hideUnifiedCgroups(): boolean {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  if (!mounts.includes(` ${UNIFIED} `)) return false;
  const constants = allConstants();
  unshare(constants['CLONE_NEWNS']!);
  mount('none', '/', '', constants['MS_REC']! | constants['MS_SLAVE']!);
  umount2(UNIFIED, constants['MNT_DETACH']!);
  return true;
}
