// What is measured on: one bundle for all OCI runtimes, in a folder of its own that also takes their state, and is
// gone afterwards. Its config is the default one as all runtimes accept it: no cgroup mount (crun runs without
// cgroups here), no terminal, the first version of the spec, an absolute rootfs without symlinks (runc wants that).

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../src/oci/config.ts';
import { defaultConfig } from '../src/oci/defaults.ts';

const payload = join(import.meta.dir, '../dist/payload');

export interface Place {
  /** The folder: bundles, states, executables that are built for measuring. */
  dir: string;
  rootfs: string;
  /** Bundles by what their container does: end at once; say that it runs, and wait for the end of its input. */
  bundles: { true: string; wait: string };
}

/** Makes the folder, calls `use` with it, removes it. */
export async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'tinyrun-bench-')));
  try {
    await use(makePlace(dir));
  } finally {
    removeTree(dir);
  }
}

function makePlace(dir: string): Place {
  const rootfs = join(dir, 'rootfs');
  for (const name of ['proc', 'sys', 'dev', 'tmp']) mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync(payload, join(rootfs, 'payload'));
  const bundle = (name: string, args: string[]): string => {
    const path = join(dir, name);
    mkdirSync(path);
    writeFileSync(join(path, 'config.json'), JSON.stringify(benchConfig(rootfs, args), null, 2));
    return path;
  };
  return {
    dir,
    rootfs,
    bundles: {
      true: bundle('true', ['/payload', 'true']),
      wait: bundle('wait', ['/payload', 'cwd', '--', 'cat', '/proc/self/fd/0']),
    },
  };
}

function benchConfig(rootfs: string, args: string[]): Config {
  const config = defaultConfig();
  config.ociVersion = '1.0.0';
  config.process.terminal = false;
  config.process.args = args;
  config.root.path = rootfs;
  config.mounts = config.mounts?.filter(({ type }) => type !== 'cgroup') ?? [];
  return config;
}

/** Removes a folder, unless something is mounted in it: that would remove what is mounted. */
function removeTree(path: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${path}/`));
  if (mounts.length > 0) throw new Error(`remove ${path}: mounts are left in it: ${mounts.join(', ')}`);
  rmSync(path, { recursive: true });
}
