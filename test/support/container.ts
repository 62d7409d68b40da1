// What a program sees in a container, in one call: a bundle, a run of the payload in it, and what that printed.

import { join } from 'node:path';
import type { Config } from '../../src/oci/config.ts';
import {
  type Bundle,
  type Result,
  type RunOptions,
  runTinyrun,
  tinyrun,
  withBundle,
  writeConfig,
} from './bundle.ts';
import { scaled } from './time.ts';

/** The program itself, which also runs outside of containers. */
export const payload = join(import.meta.dir, '../../dist/payload');

export interface Run {
  /** Changes the config of bundle.ts, and the bundle: its rootfs, its folders. */
  config?: (config: Config, bundle: Bundle) => void;
  /** How the container's own words name the payload; default `/payload`. */
  program?: string;
  /** Flags of `tinyrun run`. */
  flags?: readonly string[];
  /** A command that tinyrun is started by: `['prlimit', '--nofile=64']`. */
  via?: readonly string[];
  options?: RunOptions;
}

/** Runs sub-commands of the payload (separated by `--`) in the bundle's container. */
export function runPayload(bundle: Bundle, commands: readonly string[], run: Run = {}): Result {
  run.config?.(bundle.config, bundle);
  writeConfig(bundle);
  const args = ['run', ...(run.flags ?? []), bundle.dir, '--', run.program ?? '/payload', ...commands];
  if (run.via === undefined) return runTinyrun(bundle, args, run.options);
  return runCommand([...run.via, tinyrun, '--root', bundle.root, '--data-root', bundle.dataRoot, ...args]);
}

/** The same in a bundle of its own, which is gone afterwards. */
export async function runOnce(commands: readonly string[], run: Run = {}): Promise<Result> {
  let result: Result | undefined;
  await withBundle((bundle) => {
    result = runPayload(bundle, commands, run);
  });
  if (result === undefined) throw new Error('withBundle did not call us');
  return result;
}

/** What the payload printed; throws where it failed or anything was said on stderr. */
export async function outputOf(commands: readonly string[], run: Run = {}): Promise<string> {
  return output(await runOnce(commands, run));
}

/** stdout of a run without errors and warnings. */
export function output({ stdout, stderr, code }: Result): string {
  if (code !== 0 || stderr !== '') throw new Error(`exit code ${code}: ${stderr}${stdout}`);
  return stdout;
}

/** The words of a run that must fail before its program starts. */
export async function refusalOf(run: Run, exit = 125): Promise<string> {
  const { stdout, stderr, code } = await runOnce(['args', 'started'], run);
  if (code !== exit || stdout !== '')
    throw new Error(`no refusal, but exit code ${code}: ${stderr}${stdout}`);
  return stderr.trimEnd();
}

/** Runs any command to its end, for at most half a minute. */
export function runCommand(command: readonly string[], options: RunOptions = {}): Result {
  const { exitCode, stdout, stderr, exitedDueToTimeout } = Bun.spawnSync([...command], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? process.env,
    stdin: options.input === undefined ? 'ignore' : Buffer.from(options.input),
    timeout: scaled(options.timeout ?? 30_000),
    killSignal: 'SIGKILL',
  });
  if (exitedDueToTimeout) throw new Error(`${command.join(' ')}: did not end in time\n${stderr}${stdout}`);
  return { stdout: stdout.toString(), stderr: stderr.toString(), code: exitCode ?? -1 };
}

/** A line of /proc/PID/mountinfo, proc_pid_mountinfo(5). */
export interface MountLine {
  id: string;
  parent: string;
  root: string;
  target: string;
  options: string[];
  /** `shared:1`, `master:2`, ...; private is empty. */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
}

export function parseMountinfo(text: string): MountLine[] {
  const lines = text.split('\n').filter((line) => / - /.test(line));
  return lines.map((line) => {
    const [own = '', filesystem = ''] = line.split(' - ');
    const [id = '', parent = '', , root = '', target = '', options = '', ...propagation] = own.split(' ');
    const [type = '', source = '', superOptions = ''] = filesystem.split(' ');
    return {
      ...{ id, parent, root, target, options: options.split(','), propagation },
      ...{ type, source, superOptions: superOptions.split(',') },
    };
  });
}

/** The topmost mount at a path, whatever the order of the lines (that of the ids); throws where there is none. */
export function mountAt(mountinfo: string, target: string): MountLine {
  const here = parseMountinfo(mountinfo).filter((mount) => mount.target === target);
  const found = here.find(({ id }) => !here.some(({ parent }) => parent === id));
  if (found === undefined) throw new Error(`nothing is mounted on ${target}:\n${mountinfo}`);
  return found;
}

/** Waits until something holds; throws after ten seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries === scaled(1000)) throw new Error(`waited for ten seconds: ${what}`);
    await Bun.sleep(10);
  }
}

/** Starts a command that outlives `use`'s needs, and ends it by its pid. Give it a `sleep` of bounded length. */
export async function withHelper(
  command: readonly string[],
  use: (pid: number) => void | Promise<void>,
): Promise<void> {
  const child = Bun.spawn([...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await use(child.pid);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

/**
 * For `via`: a mount namespace that nobody else is in, whose mounts are shared among themselves, as on a host with
 * systemd; the script runs in it first.
 */
export const inMountNamespace = (script = ':'): string[] => {
  const shared = 'mount --make-rprivate / && mount --make-rshared /';
  return ['unshare', '-m', 'sh', '-ec', `${shared}\n${script}\nexec "$@"`, 'sh'];
};
