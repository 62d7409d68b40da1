// What a refused command owes its caller: one clear line, the right exit code, and a machine as it was before.

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bundle, type Result, runTinyrun } from './bundle.ts';

export interface RefusalOptions {
  /** The exit code of the bundle form; default 125. runc's form always gives 1. */
  code?: number;
  /** Options of `run`, in front of the bundle. */
  flags?: readonly string[];
  /** The container's words, behind `--`. */
  args?: readonly string[];
  /** The bundle to name; default: the bundle's own directory. */
  path?: string;
}

/**
 * Runs the bundle in both forms: either must fail in one line that `says` matches, and leave nothing behind. In the
 * bundle form twice, the second time with the program of the first where that is kept.
 */
export function assertRefused(bundle: Bundle, says: RegExp, options: RefusalOptions = {}): void {
  const { code = 125, flags = [], path = bundle.dir } = options;
  const args = options.args === undefined ? [] : ['--', ...options.args];
  for (const _ of ['planned', 'kept'])
    assertFails(bundle, runTinyrun(bundle, ['run', ...flags, path, ...args]), says, code);
  assertFails(bundle, runTinyrun(bundle, ['run', ...flags, '--bundle', path, bundle.id, ...args]), says, 1);
}

/** A result that is a failure in one line, after which nothing is left. */
export function assertFails(bundle: Bundle, result: Result, says: RegExp, code: number): void {
  assertRefusal(result, says, code);
  assert.equal(leftovers(bundle), []);
}

/** A result that is a failure in one line; the container may live on. */
export function assertRefusal(result: Result, says: RegExp, code = 1): void {
  assert.is(result.stdout, '');
  assert.ok(says.test(result.stderr), `${says} is not what it said: ${result.stderr}`);
  assert.match(result.stderr, /^tinyrun: [^\n]+\n$/, 'one line');
  assert.not.match(result.stderr, /\.ts:\d|\bat .+:\d+:\d+|\$bunfs/, 'no stack trace');
  assert.is(result.code, code, result.stderr);
}

/** A result that is a success without a word on stderr. */
export function assertSucceeds(result: Result): void {
  assert.is(result.stderr, '');
  assert.is(result.code, 0);
}

/** All that is left of a bundle's containers: its state (what is kept for later runs apart), files, mounts, cgroups, processes. */
export function leftovers(bundle: Bundle): string[] {
  const folder = `${dirname(bundle.dir)}/`;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [
    ...listTree(bundle.root).filter((path) => !path.startsWith(`${bundle.root}/.`)),
    ...listTree(join(bundle.dataRoot, 'containers')),
    ...mounts.filter((line) => line.includes(folder)),
    ...cgroupsNamed(bundle.id),
    ...processesOf(bundle).map((pid) => `process ${pid} ${readProc(`${pid}/comm`).trim()}`),
  ];
}

/** The directories of cgroups with this in their path. */
function cgroupsNamed(name: string): string[] {
  const below = (directory: string): string[] => {
    const entries = unlessGone(() => readdirSync(directory, { withFileTypes: true }), []);
    const paths = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    return paths.flatMap((path) => [path, ...below(path)]);
  };
  return below('/sys/fs/cgroup').filter((path) => path.includes(name));
}

/** Paths below a directory; none where it is missing. */
export function listTree(directory: string): string[] {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
}

/** The processes that hold a file of the bundle open, name it, or live in mounts of it. */
export function processesOf(bundle: Bundle): number[] {
  const folder = `${dirname(bundle.dir)}/`;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.map(Number).filter((pid) => {
    const texts = [readProc(`${pid}/cmdline`), ...linksOf(pid), readProc(`${pid}/mountinfo`)];
    return texts.some((text) => text.includes(folder)) && !/^State:\s+[ZX]/m.test(readProc(`${pid}/status`));
  });
}

/** A file of /proc; empty where its process is gone, or a kernel thread. */
function readProc(path: string): string {
  return unlessGone(() => readFileSync(`/proc/${path}`, 'utf8'), '');
}

function linksOf(pid: number): string[] {
  const fds = unlessGone(() => readdirSync(`/proc/${pid}/fd`), []);
  return fds.map((fd) => unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`), ''));
}

function unlessGone<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (['ENOENT', 'ESRCH', 'EINVAL', 'EACCES', 'ENAMETOOLONG'].includes(String(code))) return otherwise;
    throw error;
  }
}
