// A container in the background that a test looks into: it waits in `payload trap` until it is killed.

import { readFileSync } from 'node:fs';
import { type Bundle, runTinyrun, tinyrun, writeConfig } from './bundle.ts';
import { runCommand, until } from './container.ts';

/** Runs the bundle's container detached, with flags of `run`, until `use` is done. It is deleted with the bundle. */
export async function whileDetached(
  bundle: Bundle,
  flags: readonly string[],
  use: () => void | Promise<void>,
): Promise<void> {
  bundle.config.process.args = ['/payload', 'trap'];
  writeConfig(bundle);
  const words = ['--root', bundle.root, '--data-root', bundle.dataRoot, 'run', '-d', '--name', bundle.id];
  // A pipe would stay open as long as the container.
  const script = `exec >${bundle.dir}/output 2>&1; exec "$@"`;
  const made = runCommand(['sh', '-c', script, 'sh', tinyrun, ...words, ...flags, bundle.dir]);
  const output = () => readFileSync(`${bundle.dir}/output`, 'utf8');
  if (made.code !== 0) throw new Error(output());
  await until('it takes signals', () => output().includes('ready'));
  await use();
}

/** Ends it, and waits until it is stopped. */
export async function end(bundle: Bundle): Promise<void> {
  runTinyrun(bundle, ['kill', bundle.id, 'KILL']);
  await until('it has ended', () => stateOf(bundle) === 'stopped');
}

const stateOf = (bundle: Bundle): unknown =>
  JSON.parse(runTinyrun(bundle, ['state', bundle.id]).stdout).status;
