// All containers of this host as a list needs them: those that have a record, and those that were made of a bundle and are
// in the state root alone. What takes longer to find out (mounts, sizes) is found out when it is asked for.

import { SystemError } from '../../native-bindings/libc.ts';
import { type ContainerRecord, listContainerIds, readRecord } from '../container/record.ts';
import { hasProcess, readExit, statusOf, ZERO_TIME } from '../container/status.ts';
import { TinyrunError } from '../errors.ts';
import type { Log } from '../runtime/log.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { readText } from '../runtime/probe.ts';
import { removeStale } from '../runtime/removal.ts';
import { readSavedConfig } from '../runtime/saved-config.ts';
import { type Container, findContainer, listIds } from '../runtime/store.ts';

export interface ListedContainer {
  id: string;
  name: string;
  /** As it was given; of one that was made of a bundle, the bundle's path. */
  image: string;
  /** `sha256:...`; empty: it has none. */
  imageId: string;
  /** Docker's word. */
  state: 'created' | 'running' | 'paused' | 'exited';
  /** null: nobody has written it down. */
  exitCode: number | null;
  /** Milliseconds since 1970; undefined: it never was, or nobody has written it down. */
  created: number;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  labels: Readonly<Record<string, string>>;
  network: string;
  /** The program and its arguments. */
  command(): readonly string[];
  record: ContainerRecord | undefined;
}

type Roots = Pick<GlobalOptions, 'root' | 'dataRoot'>;

/**
 * The containers, the newest first. One that cannot be read is warned about and left out.
 * @param all those that do not run, too
 */
export async function listAll(roots: Roots, all: boolean, log: Log): Promise<ListedContainer[]> {
  const records = new Set(listContainerIds(roots.dataRoot));
  const running = listIds(roots.root);
  const found: ListedContainer[] = [];
  const add = async (
    id: string,
    read: () => ListedContainer | undefined | Promise<ListedContainer | undefined>,
  ): Promise<void> => {
    try {
      const one = await read();
      if (one !== undefined && (all || hasProcess(one.state))) found.push(one);
    } catch (error) {
      if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
      log.warn(`list container ${id}: ${error.message}`);
    }
  };
  // What has no state directory does not run.
  for (const id of all ? records : running.filter((one) => records.has(one)))
    await add(id, () => {
      const record = readRecord(roots.dataRoot, id);
      return record && ofRecord(roots, record);
    });
  for (const id of running) if (!records.has(id)) await add(id, () => ofBundle(roots, id));
  return found.sort((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1));
}

function ofRecord(roots: Roots, record: ContainerRecord): ListedContainer {
  const { id, name, image, imageId, created, config, hostConfig } = record;
  const { status, exitCode, startedAt, finishedAt } = statusOf(roots, record);
  return {
    ...{ id, name, image, imageId, state: status, exitCode, record },
    created: Date.parse(created),
    startedAt: timeOf(startedAt),
    finishedAt: timeOf(finishedAt),
    labels: config.Labels ?? {},
    network: hostConfig.NetworkMode,
    command: () => [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])],
  };
}

/** Docker's year 1 is no time. */
const timeOf = (text: string): number | undefined => {
  const time = Date.parse(text);
  return time > 0 ? time : undefined;
};

async function ofBundle({ root, dataRoot }: Roots, id: string): Promise<ListedContainer | undefined> {
  if (await removeStale(root, id, dataRoot)) return undefined;
  const container = findContainer(root, id);
  if (container === undefined || container.state.status === 'creating') return undefined;
  const { bundle, created, annotations } = container.state;
  const { exitCode, finishedAt } = bundleEnd(root, container);
  return {
    ...{ id, name: id, image: bundle, imageId: '', state: dockerStatus(container), exitCode },
    created: Date.parse(created),
    // A container of runc's form says only when it was made.
    startedAt: Date.parse(created),
    finishedAt: timeOf(finishedAt),
    labels: annotations ?? {},
    network: '',
    command: () => bundleCommand(root, container),
    record: undefined,
  };
}

/**
 * The program of a container that was made of a bundle, and its arguments: those of the command line of `run`; else as the kernel
 * has them while it runs (one that was restored may have others than the config), and as the config has them.
 */
export function bundleCommand(
  root: string,
  { args, state: { id, pid, status } }: Container,
): readonly string[] {
  if (args !== undefined) return args;
  const text =
    status === 'running' || status === 'paused' ? readText(`/proc/${pid}/cmdline`, CMDLINE_LIMIT) : '';
  if (typeof text === 'string' && text !== '') return text.replace(/\0$/, '').split('\0');
  return readSavedConfig(root, id).process.args;
}

const CMDLINE_LIMIT = 1 << 16;

/**
 * How one that was made of a bundle has ended; a code of null: nobody has waited for it, or it was killed with its host
 * program.
 */
export function bundleEnd(
  root: string,
  { state: { id, status } }: Container,
): { exitCode: number | null; finishedAt: string } {
  return status === 'stopped' ? readExit(`${root}/${id}`) : { exitCode: 0, finishedAt: ZERO_TIME };
}

/** The status of one that was made of a bundle, in Docker's words. */
export function dockerStatus({ state: { status } }: Container): ListedContainer['state'] {
  return status === 'stopped' ? 'exited' : status === 'creating' ? 'created' : status;
}
