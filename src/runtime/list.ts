// `tinyrun list`: the containers of a state root as a table, as JSON, or as ids; runc's forms.

import { SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { Log } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { removeStale } from './removal.ts';
import { type Container, findContainer, listIds } from './store.ts';

/**
 * All containers, by id; half-made ones are left out, and one that cannot be read is warned about. What killed tinyruns
 * left is removed on the way: nobody else would come across it, since its ids are random.
 */
export async function listContainers(
  { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  log: Log,
): Promise<Container[]> {
  const containers: Container[] = [];
  for (const id of listIds(root)) {
    try {
      if (await removeStale(root, id, dataRoot))
        log.debug(`removed container ${id}, left by a tinyrun that was killed`);
      const container = findContainer(root, id);
      if (container !== undefined && container.state.status !== 'creating') containers.push(container);
    } catch (error) {
      if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
      log.warn(`list container ${id}: ${error.message}`);
    }
  }
  return containers;
}

/** One line of JSON; runc's `null` where there are none. */
export function formatJson(containers: readonly Container[], names: ReadonlyMap<number, string>): string {
  if (containers.length === 0) return 'null\n';
  return `${JSON.stringify(containers.map(({ state, uid }) => ({ ...state, owner: ownerName(uid, names) })))}\n`;
}

/** The ids, one a line. */
export const formatIds = (containers: readonly Container[]): string =>
  containers.map(({ state }) => `${state.id}\n`).join('');

const HEAD = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'];
const NARROWEST = 12; // runc's tabwriter: cells of at least 12, with 3 spaces behind the longest
const GAP = 3;

/** The table. Control characters in a path, which could steer a terminal, are shown as `?`. */
export function formatTable(containers: readonly Container[], names: ReadonlyMap<number, string>): string {
  const rows = containers.map(({ state: { id, pid, status, bundle, created }, uid }) =>
    [id, `${pid}`, status, bundle, created, ownerName(uid, names)].map((cell) =>
      cell.replace(/\p{Cc}/gu, '?'),
    ),
  );
  const table = [HEAD, ...rows];
  const widths = HEAD.map((_, column) =>
    Math.max(NARROWEST, ...table.map((row) => [...row[column]!].length + GAP)),
  );
  const line = (row: string[]): string =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat(widths[column]! - [...cell].length),
      )
      .join('');
  return table.map((row) => `${line(row)}\n`).join('');
}

const ownerName = (uid: number, names: ReadonlyMap<number, string>): string => names.get(uid) ?? `#${uid}`;

/** The users of the host by uid: passwd(5). */
export function readUsers(path = '/etc/passwd'): Map<number, string> {
  const users = new Map<number, string>();
  for (const line of (readSmall(AT_FDCWD, path) ?? '').split('\n')) {
    const [name, , uid] = line.split(':');
    if (name !== undefined && uid !== undefined && !users.has(Number(uid))) users.set(Number(uid), name);
  }
  return users;
}
