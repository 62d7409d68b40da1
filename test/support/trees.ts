// Trees of every kind of file, and what can be said of one, for tests that copy them.

import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { constants } from '../../src/sys/constants.ts';

/** All that a copy should have in common with its source, by path; `.` is the top. */
export type Tree = Record<string, Record<string, unknown>>;

export function describeTree(top: string): Tree {
  const names = listTree(top).sort();
  const first = new Map<bigint, string>(); // by inode: which names are one file
  return Object.fromEntries(
    ['.', ...names].map((name) => {
      const path = join(top, name);
      const stat = lstatSync(path, { bigint: true });
      const same = stat.isDirectory() ? name : (first.get(stat.ino) ?? name);
      first.set(stat.ino, same);
      const facts = {
        mode: `0${stat.mode.toString(8)}`,
        owner: `${stat.uid}:${stat.gid}`,
        mtime: stat.mtimeNs,
        same,
        ...(stat.isSymbolicLink() ? { target: readlinkSync(path) } : {}),
        ...(stat.isFile() ? { contents: Bun.hash(readFileSync(path)), size: stat.size } : {}),
        ...(stat.isBlockDevice() || stat.isCharacterDevice() ? { device: stat.rdev } : {}),
        attributes: readAttributes(path),
      };
      return [name, facts];
    }),
  );
}

/** The paths below a directory. (A recursive readdir of Bun's goes through symlinks.) */
export function listTree(top: string, below = ''): string[] {
  return readdirSync(join(top, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? [path, ...listTree(top, path)] : [path];
  });
}

/** `name=value` of every extended attribute; none where the filesystem has none. */
function readAttributes(path: string): string[] {
  const list = new Uint8Array(4096);
  const size = rawSyscall('llistxattr', path, list, list.length);
  const names = new TextDecoder().decode(list.subarray(0, Math.max(size, 0))).split('\0');
  return names
    .filter((name) => name !== '')
    .sort()
    .map((name) => {
      const value = new Uint8Array(4096);
      const length = syscall(`read ${name}`, 'lgetxattr', path, name, value, value.length);
      return `${name}=${value.subarray(0, length).toHex()}`;
    });
}

function setAttribute(path: string, name: string, value: Uint8Array): void {
  syscall(`set ${name} of ${path}`, 'lsetxattr', path, name, value, value.length, 0);
}

export function makeNode(path: string, type: number, major = 0, minor = 0): void {
  const device = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  syscall(`make ${path}`, 'mknodat', constants['AT_FDCWD']!, path, type | 0o640, device);
}
export const [S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK] = [0o010000, 0o020000, 0o060000, 0o140000] as const;

const utf8 = new TextEncoder();
/** cap_net_raw+ep, as setcap(8) writes it: struct vfs_cap_data. */
const CAPABILITY = Uint8Array.from([1, 0, 0, 2, 0, 0x20, ...new Array<number>(14).fill(0)]);

/** Fills a directory with one of each: needs root, and a filesystem with user.* attributes. */
export function makeTree(top: string): void {
  const at = (name: string): string => join(top, name);
  mkdirSync(at('sub/deep/deeper'), { recursive: true });
  writeFileSync(at('file'), 'contents\n');
  writeFileSync(at('empty'), '');
  writeFileSync(at('large'), new Uint8Array(3_000_000).fill(7));
  writeFileSync(at('sub/deep/deeper/program'), '#!/bin/sh\n');
  symlinkSync('/etc/passwd', at('absolute'));
  symlinkSync('no-such-file', at('dangling'));
  symlinkSync('../../../../../etc', at('sub/up'));
  linkSync(at('file'), at('sub/link'));
  linkSync(at('dangling'), at('sub/link-to-symlink'));
  makeNode(at('fifo'), S_IFIFO);
  linkSync(at('fifo'), at('sub/link-to-fifo'));
  makeNode(at('socket'), S_IFSOCK);
  makeNode(at('null'), S_IFCHR, 1, 3);
  makeNode(at('block'), S_IFBLK, 259, 70000);
  makeSparse(at('sparse'), 20_000_000, 9_000_000);
  chownSync(at('file'), 1000, 1001);
  chownSync(at('sub'), 5, 6);
  for (const [name, mode] of Object.entries({
    file: 0o6755,
    'sub/deep/deeper/program': 0o4755,
    sub: 0o2750,
    'sub/deep': 0o1777,
    'sub/deep/deeper': 0o000,
  }))
    chmodSync(at(name), mode);
  setAttribute(at('file'), 'user.test', utf8.encode('value'));
  setAttribute(at('empty'), 'user.empty', new Uint8Array());
  setAttribute(at('sub'), 'user.directory', utf8.encode('\0binary'));
  setAttribute(at('sub/deep/deeper/program'), 'security.capability', CAPABILITY);
  // Inner ones first: what is made in a directory changes its time.
  for (const [i, name] of ['file', 'absolute', 'fifo', 'sub/deep/deeper', 'sub/deep', 'sub'].entries())
    lutimesSync(at(name), 1_000_000_000 + i + 0.25, 1_000_000_000 + i + 0.5);
}

/** A file of holes around one byte. */
export function makeSparse(path: string, size: number, byteAt: number): void {
  writeFileSync(path, '');
  truncateSync(path, byteAt);
  writeFileSync(path, 'x', { flag: 'a' });
  truncateSync(path, size);
}
