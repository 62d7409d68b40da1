// Containers with a record, as far as their monitor sees them: a directory for what is kept of one, and its start. The
// commands on top (`run IMAGE`, `start`) have tests of their own; here is what the monitor does for them.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../src/oci/config.ts';
import type { MonitorInput } from '../../src/plan/input.ts';
import { type Bundle, withBundle } from './bundle.ts';
import type { Start } from './start-kept.ts';

const BUSYBOX = '/bin/busybox';

export interface Kept {
  /** The words of a command that starts it, and then is its client. */
  command: (args: readonly string[], monitor?: Partial<MonitorInput>, start?: { init?: boolean }) => string[];
  /** Where what is kept of it is. */
  directory: string;
  bundle: Bundle;
  /** A file there. */
  read: (name: string) => string;
}

export const ATTACHED = { stdin: false, stdout: true, stderr: true, sigProxy: true, detachKeys: [16, 17] };

/** Calls `use` with a container that is not started yet, with busybox and the payload in it. */
export async function withKept(
  use: (kept: Kept) => void | Promise<void>,
  change: (config: Config) => void = () => {},
): Promise<void> {
  await withBundle(async (bundle) => {
    const { dataRoot, root, rootfs, config, id } = bundle;
    const directory = join(dataRoot, 'containers', id);
    const layer = join(dataRoot, 'overlay2', id);
    for (const name of ['diff', 'work', 'merged']) mkdirSync(join(layer, name), { recursive: true });
    mkdirSync(directory, { recursive: true });
    mkdirSync(join(rootfs, 'bin'));
    copyFileSync(BUSYBOX, join(rootfs, 'bin/busybox'));
    for (const name of ['hosts', 'hostname', 'resolv.conf']) {
      writeFileSync(join(directory, name), '');
      writeFileSync(join(rootfs, 'etc', name), '');
    }
    const command: Kept['command'] = (args, monitor = {}, { init = false } = {}) => {
      config.process.args = [...args];
      change(config);
      writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
      const start: Start = {
        ...{ root, dataRoot, id, rootfs, layer, init },
        monitor: {
          directory,
          log: { maxSize: undefined, maxFiles: 1 },
          attach: ATTACHED,
          ...{ openStdin: false, stdinOnce: true, say: `${id}\n` },
          ...monitor,
        },
      };
      return [process.execPath, join(import.meta.dir, 'start-kept.ts'), JSON.stringify(start)];
    };
    await use({
      command,
      directory,
      bundle,
      read: (name) => readFileSync(join(directory, name), 'utf8'),
    });
  });
}
