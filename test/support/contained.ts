// A container in a test that is looked at through its cgroup.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from '../../src/runtime/cgroup/files.ts';
import { type Bundle, runTinyrun, tinyrun, writeConfig } from './bundle.ts';
import { runCommand, until } from './container.ts';

export interface Contained {
  pid: number;
  cgroups: Cgroups;
  /** A file of a v1 controller's directory, or of the unified one. */
  file: (controller: string, v1: string, v2?: string) => string;
}

/**
 * Makes the bundle's container, with an id and a cgroup, calls `use`, and removes all of it.
 * @param verb `create`, or `run` in the background
 */
export async function inCgroup(
  bundle: Bundle,
  verb: 'create' | 'run',
  use: (contained: Contained) => void | Promise<void>,
): Promise<void> {
  bundle.config.process.args = ['/payload', 'trap'];
  writeConfig(bundle);
  const flags = verb === 'run' ? ['run', '--detach'] : ['create'];
  const words = [tinyrun, '--root', bundle.root, '--data-root', bundle.dataRoot, ...flags];
  const script = `exec >${bundle.dir}/output 2>&1; exec "$@"`; // a pipe would stay open as long as the container
  const made = runCommand(['sh', '-c', script, 'sh', ...words, '--bundle', bundle.dir, bundle.id]);
  const output = () => readFileSync(`${bundle.dir}/output`, 'utf8');
  if (made.code !== 0) throw new Error(output());
  if (verb === 'run') await until('it takes signals', () => output().includes('ready'));
  const { pid } = JSON.parse(runTinyrun(bundle, ['state', bundle.id]).stdout) as { pid: number };
  const state = JSON.parse(read(join(bundle.root, bundle.id, 'state.json')));
  const { cgroups } = state.tinyrun as { cgroups: Contained['cgroups'] };
  try {
    await use({
      pid,
      cgroups,
      file(controller, v1, v2) {
        const found = cgroups.find(({ controllers }) => controllers.split(',').includes(controller));
        const unified = cgroups.find(({ controllers }) => controllers === '');
        return found === undefined ? `${unified?.path}/${v2}` : `${found.path}/${v1}`;
      },
    });
  } finally {
    runTinyrun(bundle, ['delete', '--force', bundle.id]);
  }
}

/** The text of a file of a cgroup, without the newline behind it. */
export const read = (file: string): string => readFileSync(file, 'utf8').trim();
