// What is mounted on this host, proc_pid_mountinfo(5).

import { AT_FDCWD, readSmall } from '../disk/files.ts';

/** A host may have thousands of mounts, a line each. */
const LIMIT = 64 << 20;

/** The mount points at a path and below it, in the order of mounting; one with several mounts stands there as often. */
export function mountsBelow(path: string): string[] {
  const text = readSmall(AT_FDCWD, '/proc/self/mountinfo', LIMIT) ?? '';
  // Most lines are of others: to look for the path in the whole text is quicker than to take it apart.
  if (!text.includes(encode(path))) return [];
  const targets = text.split('\n').map((line) => decode(line.split(' ', 5)[4] ?? ''));
  return targets.filter((target) => target === path || target.startsWith(`${path}/`));
}

/** Whether something is mounted on a directory. */
export const isMountPoint = (path: string): boolean => mountsBelow(path).includes(path);

/** What a mount is to others: the propagation of mount_namespaces(7). */
export interface MountLine {
  target: string;
  shared: boolean;
  slave: boolean;
}

/** The mount that has this number (statx(2), stx_mnt_id); undefined where it is gone, or in another namespace. */
export function mountWithId(id: bigint): MountLine | undefined {
  const text = readSmall(AT_FDCWD, '/proc/self/mountinfo', LIMIT) ?? '';
  const start = `\n${text}`.indexOf(`\n${id} `);
  if (start < 0) return undefined;
  const fields = text.slice(start, text.indexOf('\n', start)).split(' ');
  const tags = fields.slice(6, fields.indexOf('-'));
  const has = (name: string): boolean => tags.some((tag) => tag.startsWith(name));
  return { target: decode(fields[4] ?? ''), shared: has('shared:'), slave: has('master:') };
}

const encode = (path: string): string =>
  path.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
const decode = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
