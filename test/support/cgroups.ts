// The cgroup of a container in a test: its own, or where this tinyrun made none, one made by hand and told to its state.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupDirectory } from '../../src/runtime/cgroup/files.ts';
import { type Bundle, runTinyrun, tinyrun, writeConfig } from './bundle.ts';
import { parseMountinfo, runCommand, until } from './container.ts';

export interface Contained {
  pid: number;
  cgroups: readonly CgroupDirectory[];
  /** A file of a v1 controller's directory, or of the unified one. */
  file: (controller: string, v1: string, v2?: string) => string;
}

/** Whether this host has no v1 hierarchy. */
export const isUnifiedHost = (): boolean => !existsSync('/sys/fs/cgroup/freezer');

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
  const file = join(bundle.root, bundle.id, 'state.json');
  const state = JSON.parse(readFileSync(file, 'utf8')) as { tinyrun: { cgroups?: CgroupDirectory[] } };
  const own = state.tinyrun.cgroups;
  const cgroups = own ?? makeByHand(bundle.id, pid);
  if (own === undefined) {
    state.tinyrun.cgroups = cgroups;
    writeFileSync(file, JSON.stringify(state));
  }
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
    runTinyrun(bundle, ['resume', bundle.id]);
    runTinyrun(bundle, ['delete', '--force', bundle.id]);
    for (const { path } of own === undefined ? cgroups : [])
      await until(`${path} is empty`, () => {
        if (existsSync(path) && readFileSync(`${path}/cgroup.procs`, 'utf8') !== '') return false;
        if (existsSync(path)) rmdirSync(path);
        return true;
      });
  }
}

/** A cgroup in each hierarchy, with one process in it. */
function makeByHand(id: string, pid: number): CgroupDirectory[] {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  return readFileSync('/proc/self/cgroup', 'utf8')
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [, controllers = ''] = line.split(':');
      const mount = mounts.find(({ type, superOptions }) =>
        controllers === ''
          ? type === 'cgroup2'
          : type === 'cgroup' && superOptions.includes(controllers.split(',')[0]!),
      );
      if (mount === undefined) return [];
      const path = `${mount.target}/${id}`;
      mkdirSync(path);
      if (controllers === 'cpuset')
        for (const name of ['cpuset.cpus', 'cpuset.mems'])
          writeFileSync(`${path}/${name}`, readFileSync(`${mount.target}/${name}`));
      writeFileSync(`${path}/cgroup.procs`, String(pid));
      return [{ controllers, path }];
    });
}

/** The text of a file of a cgroup, without the newline behind it. */
export const read = (file: string): string => readFileSync(file, 'utf8').trim();
