// A bundle of its own for each test, with the payload (payload.c) as its only program, and dist/tinyrun run on it with
// state and data of its own. Nothing of it is left when the test ends, however it ends.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../src/oci/config.ts';
import { defaultConfig } from '../../src/oci/defaults.ts';
import { scaled } from './time.ts';

const top = join(import.meta.dir, '../..');
export const tinyrun = join(top, 'dist/tinyrun');
const payload = join(top, 'dist/payload');

export interface Bundle {
  /** The bundle: config.json and rootfs/. */
  dir: string;
  rootfs: string;
  /** An id that no other test has; its cgroup's name tells whose it is. */
  id: string;
  /** For `--root` and `--data-root`. */
  root: string;
  dataRoot: string;
  /** What withBundle wrote into config.json. */
  config: Config;
}

export interface BundleOptions {
  /** Changes the default config before it is written. */
  config?: (config: Config) => void;
}

export interface Result {
  stdout: string;
  stderr: string;
  /** The exit code; 128 + signal where a signal ended it. */
  code: number;
}

/** The config of `tinyrun spec` without a terminal, running `/payload true`, on a writable rootfs. */
function testConfig(): Config {
  const config = defaultConfig();
  config.process.terminal = false;
  config.process.args = ['/payload', 'true'];
  config.root.readonly = false;
  return config;
}

/** Makes a bundle below /tmp, calls `use` with it, and removes it with all containers and mounts it led to. */
export async function withBundle(
  use: (bundle: Bundle) => void | Promise<void>,
  options: BundleOptions = {},
): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const dir = join(top, 'bundle');
  const bundle: Bundle = {
    dir,
    rootfs: join(dir, 'rootfs'),
    id: top.slice('/tmp/'.length),
    root: join(top, 'root'),
    dataRoot: join(top, 'data'),
    config: testConfig(),
  };
  for (const name of ['proc', 'sys', 'dev', 'etc', 'tmp'])
    mkdirSync(join(bundle.rootfs, name), { recursive: true });
  copyFileSync(payload, join(bundle.rootfs, 'payload'));
  options.config?.(bundle.config);
  writeConfig(bundle);
  try {
    await use(bundle);
  } finally {
    deleteContainers(bundle);
    removeTree(top);
  }
}

/** Writes `bundle.config` into config.json again, after a test changed it. */
export function writeConfig(bundle: Bundle): void {
  writeFileSync(join(bundle.dir, 'config.json'), JSON.stringify(bundle.config, null, 2));
}

/** Where a tinyrun of a test keeps its things, and runs. */
export type Place = Pick<Bundle, 'dir' | 'root' | 'dataRoot'>;

const command = (bundle: Place, args: readonly string[]) => [
  ...[tinyrun, '--root', bundle.root, '--data-root', bundle.dataRoot],
  ...args,
];

export interface RunOptions {
  /** Standard input; default: none. */
  input?: string;
  env?: Record<string, string | undefined>;
  /** Default: the bundle. */
  cwd?: string;
  /** Milliseconds after which it is killed; default 30 s. */
  timeout?: number;
}

/** Runs `dist/tinyrun` on the bundle's own state and waits for its end. */
export function runTinyrun(bundle: Place, args: readonly string[], options: RunOptions = {}): Result {
  const done = Bun.spawnSync(command(bundle, args), {
    cwd: options.cwd ?? bundle.dir,
    env: options.env ?? process.env,
    stdin: options.input === undefined ? 'ignore' : Buffer.from(options.input),
    timeout: scaled(options.timeout ?? 30_000),
    killSignal: 'SIGKILL',
  });
  if (done.exitedDueToTimeout)
    throw new Error(`tinyrun ${args.join(' ')}: did not end in time\n${done.stderr}`);
  return {
    stdout: done.stdout.toString(),
    stderr: done.stderr.toString(),
    code: done.exitCode ?? 128 + signalNumber(done.signalCode),
  };
}

/** Starts `dist/tinyrun` and does not wait; its stdout and stderr are pipes. */
export function startTinyrun(bundle: Place, args: readonly string[], options: RunOptions = {}) {
  return Bun.spawn(command(bundle, args), {
    cwd: options.cwd ?? bundle.dir,
    env: options.env ?? process.env,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
}

/** The number of a signal as Bun reports it; 0 for none. */
export const signalNumber = (signal: NodeJS.Signals | number | null | undefined): number =>
  typeof signal === 'string' ? constants.signals[signal] : (signal ?? 0);

function deleteContainers(bundle: Bundle): void {
  if (!existsSync(bundle.root)) return;
  const ids = readdirSync(bundle.root).filter((name) => !name.startsWith('.')); // what is kept for later runs
  for (const id of ids) runTinyrun(bundle, ['delete', '--force', id], { cwd: '/' });
}

/** Removes a folder, unless something is mounted in it: that would remove what is mounted. */
function removeTree(path: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${path}/`));
  if (mounts.length > 0) throw new Error(`mounts left in the bundle: ${mounts.join(', ')}`);
  rmSync(path, { recursive: true });
}
