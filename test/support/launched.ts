// Whether tinyrun becomes a program that is kept on disk, without any JavaScript. It is given so little address space that
// the JavaScript engine cannot start, which takes gigabytes of it: then only the launcher can have done the work.

import { statSync } from 'node:fs';
import { type Bundle, type RunOptions, tinyrun } from './bundle.ts';

/** KiB besides the mapped executable: enough for the launcher, the interpreter and the payload. */
const ROOM = 1536;

/** Shell text that executes its arguments so, after `before`. */
const script = (executable: string, before: string): string =>
  `${before}\nulimit -c 0; ulimit -v ${Math.ceil(statSync(executable).size / 1024) + ROOM}; exec "$0" "$@"`;

/**
 * The exit code of a program that ran without JavaScript; undefined where there was none to run.
 * @param args behind `tinyrun`
 * @param before a shell command to run first, in the process that then becomes tinyrun
 * @param executable dist/tinyrun, or a copy of it
 */
export function launchedWords(
  args: readonly string[],
  { wrap = [], before = '', executable = tinyrun, ...options }: LaunchOptions = {},
): { code: number; stdout: string; stderr: string } | undefined {
  const done = Bun.spawnSync([...wrap, 'sh', '-c', script(executable, before), executable, ...args], {
    cwd: options.cwd ?? '/',
    env: options.env ?? { PATH: process.env['PATH'] },
    stdin: 'ignore',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  const stderr = done.stderr.toString();
  const engineFailed =
    done.signalCode !== undefined || /dynamic loader|Bun v|error while loading/.test(stderr);
  return engineFailed ? undefined : { code: done.exitCode ?? -1, stdout: done.stdout.toString(), stderr };
}

export interface LaunchOptions extends Pick<RunOptions, 'cwd' | 'env'> {
  /** A command that executes what follows it. */
  wrap?: readonly string[];
  before?: string;
  executable?: string;
}

/** The same on the bundle's own state, from its folder; only whether a program was launched, and its exit code. */
export const launched = (
  bundle: Bundle,
  args: readonly string[],
  options: LaunchOptions = {},
): number | undefined =>
  launchedWords(['--root', bundle.root, '--data-root', bundle.dataRoot, ...args], {
    cwd: bundle.dir,
    ...options,
  })?.code;
