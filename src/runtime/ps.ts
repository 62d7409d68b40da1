// `tinyrun ps`: the host's ps(1), of whose lines those stay that are of a process in the container's cgroup.

import { TinyrunError } from '../errors.ts';
import { lacksController } from './cgroup/files.ts';
import { pidsOf } from './cgroup/processes.ts';
import { readContainer } from './store.ts';

/** Where ps(1) is looked for if the caller has no PATH, as engines may have none. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The pids of all processes in a container, as the host has them; none once it has ended.
 * @throws TinyrunError NOT_FOUND, or STATE if it has no cgroup to tell its processes by
 */
export function containerPids(root: string, id: string): number[] {
  const { state, cgroups } = readContainer(root, id);
  if (cgroups.length === 0 && state.status !== 'stopped')
    throw lacksController(`list the processes of container ${id}`, 'pids', cgroups);
  return pidsOf(cgroups);
}

/** A line of JSON; runc's `null` where there are none. */
export const formatPids = (pids: readonly number[]): string =>
  pids.length === 0 ? 'null\n' : `${JSON.stringify(pids)}\n`;

/**
 * Runs ps(1) and keeps its head and the lines of the given processes.
 * @param args for ps(1); none: `-ef`
 * @throws TinyrunError HOST where there is no ps(1) or it fails, in its own words
 */
export function processTable(pids: readonly number[], args: readonly string[]): string {
  const ps = Bun.which('ps', { PATH: process.env['PATH'] ?? PATH });
  if (ps === null)
    throw new TinyrunError('HOST', 'list processes: the host has no ps(1)', {
      hint: 'install it (Debian: procps), or use --format json',
    });
  const command = args.length === 0 ? ['-ef'] : args;
  const { exitCode, stdout, stderr } = Bun.spawnSync([ps, ...command], { stdin: 'ignore' });
  if (exitCode !== 0)
    throw new TinyrunError(
      'HOST',
      `ps ${command.join(' ')}: exit code ${exitCode}: ${`${stderr}${stdout}`.trim().split('\n')[0]}`,
    );
  return filterTable(stdout.toString(), pids);
}

/**
 * The head of a table and its lines of these processes; the words before the pid must have no spaces.
 * @throws TinyrunError USAGE where there is no column `PID`, in runc's words
 */
export function filterTable(table: string, pids: readonly number[]): string {
  const [head = '', ...lines] = table.split('\n');
  const column = words(head).indexOf('PID');
  if (column < 0)
    throw new TinyrunError('USAGE', "couldn't find PID field in ps output", {
      hint: 'ask ps for it, too: `-o pid,comm`',
    });
  const wanted = new Set(pids.map(String));
  return [head, ...lines.filter((line) => wanted.has(words(line)[column] ?? ''))]
    .map((line) => `${line}\n`)
    .join('');
}

const words = (line: string): string[] => line.trim().split(/\s+/);
