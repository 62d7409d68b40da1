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

const encode = (path: string): string =>
  path.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
const decode = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
