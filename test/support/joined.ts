// A container that runs by itself while a test executes more processes in it.

import { readFileSync, writeFileSync } from 'node:fs';
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
import { until } from './container.ts';

export interface Joined extends Bundle {
  /** `tinyrun exec OPTIONS ID WORDS`: to its end. */
  exec: (options: readonly string[], words: readonly string[], run?: RunOptions) => Result;
  /** The same with sub-commands of the payload, by themselves. */
  payload: (...commands: string[]) => Result;
  /** The container's init, as the host sees it. */
  init: number;
}

/** A result's stdout; throws where it failed or anything was said on stderr. */
export function printed({ stdout, stderr, code }: Result): string {
  if (code !== 0 || stderr !== '') throw new Error(`exit code ${code}: ${stderr}${stdout}`);
  return stdout;
}

/**
 * Calls `use` while a container of a bundle runs, or is created only.
 * @param change of the config
 * @param verb what makes it: `['run', '--detach']`
 */
export async function whileThere(
  use: (container: Joined) => void | Promise<void>,
  change: (config: Config, bundle: Bundle) => void = () => {},
  verb: readonly string[] = ['run', '--detach'],
): Promise<void> {
  await withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'trap'];
    change(bundle.config, bundle);
    writeConfig(bundle);
    const output = join(bundle.dir, 'output');
    writeFileSync(output, '');
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    // It outlives the one who makes it, and would keep a pipe open.
    const made = Bun.spawnSync(
      [
        'sh',
        '-c',
        `exec >>${output} 2>&1; exec "$@"`,
        'sh',
        tinyrun,
        ...roots,
        ...verb,
        '--bundle',
        bundle.dir,
        bundle.id,
      ],
      { cwd: '/', stdin: 'ignore' },
    );
    if (made.exitCode !== 0) throw new Error(`exit code ${made.exitCode}: ${readFileSync(output, 'utf8')}`);
    if (verb[0] === 'run') await until('it runs', () => readFileSync(output, 'utf8').endsWith('ready\n'));
    const exec: Joined['exec'] = (options, words, run) =>
      runTinyrun(bundle, ['exec', ...options, bundle.id, ...words], run);
    await use({
      ...bundle,
      exec,
      payload: (...commands) => exec([], ['/payload', ...commands]),
      init: JSON.parse(runTinyrun(bundle, ['state', bundle.id]).stdout).pid,
    });
  });
}
