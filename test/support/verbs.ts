// Commands of tinyrun that run beside each other, each with a limit of time: what hangs fails, and says which it was.
// Their output goes to files, since a container that outlives its `create` has them open.

import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bundle, type Result, signalNumber, tinyrun } from './bundle.ts';
import { assertRefusal } from './refusal.ts';

/** Far more than any of them takes on a machine that is busy with other things. */
const SECONDS = 60;
let files = 0;

/** Runs a command of tinyrun on the bundle's own state; throws where it does not end. */
export const say = (bundle: Bundle, ...words: string[]): Promise<Result> => sayVia(bundle, [], words);

/** The same, started by another command: `['strace', '-f']`. */
export async function sayVia(
  bundle: Bundle,
  via: readonly string[],
  words: readonly string[],
): Promise<Result> {
  const names = ['stdout', 'stderr'].map((name) => join(bundle.dir, `${name}-${++files}`));
  const fds = names.map((name) => openSync(name, 'w'));
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const child = Bun.spawn([...via, tinyrun, ...roots, ...words], {
    cwd: bundle.dir,
    stdio: ['ignore', fds[0]!, fds[1]!],
  });
  for (const fd of fds) closeSync(fd);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, SECONDS * 1000);
  await child.exited;
  clearTimeout(timer);
  const [stdout = '', stderr = ''] = names.map((name) => readFileSync(name, 'utf8'));
  for (const name of names) rmSync(name);
  if (late) throw new Error(`tinyrun ${words.join(' ')}: not done after ${SECONDS} s: ${stderr}`);
  return { stdout, stderr, code: child.exitCode ?? 128 + signalNumber(child.signalCode) };
}

/** The same, which must succeed without a word; returns what it printed. */
export async function succeeds(bundle: Bundle, ...words: string[]): Promise<string> {
  const { stdout, stderr, code } = await say(bundle, ...words);
  assert.is(stderr, '', words.join(' '));
  assert.is(code, 0, words.join(' '));
  return stdout;
}

/**
 * Whether a command has succeeded, without a word; if not, it must have failed in one line that `says` matches. (`exec`
 * fails with 255; and with 137, without a word, where its process is killed.)
 */
export function hasWon(result: Result, says: RegExp): boolean {
  const { code, stderr } = result;
  if (code === 0 || code === 137) assert.is(stderr, '');
  else assertRefusal({ ...result, stdout: '' }, says, code === 255 ? 255 : 1);
  return code === 0;
}

/** The pid of a container's init, and its status; undefined where there is none. */
export async function stateOf(
  bundle: Bundle,
  id = bundle.id,
): Promise<{ pid: number; status: string } | undefined> {
  const result = await say(bundle, 'state', id);
  return hasWon(result, /container does not exist/) ? JSON.parse(result.stdout) : undefined;
}

/** Does all jobs, some at a time; the first that fails ends it. */
export async function share(
  jobs: number,
  workers: number,
  work: (job: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < jobs) await work(next++);
  };
  const results = await Promise.allSettled(Array.from({ length: workers }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
