// Namespaces that a container shares: with the host, or with another container that runs. Which of them: --network, --pid,
// --ipc, --uts.

import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { NamespaceType } from '../oci/config.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { openProcess } from '../runtime/process.ts';
import { findContainer } from '../runtime/store.ts';
import type { HostConfig } from './config.ts';
import { readRecord } from './record.ts';

type Mode = 'NetworkMode' | 'PidMode' | 'IpcMode' | 'UTSMode';

/** How the kernel calls them in /proc/PID/ns, and how Docker does in its words. */
const MODES: Readonly<Record<Mode, { type: NamespaceType; file: string; word: string }>> = {
  NetworkMode: { type: 'network', file: 'net', word: 'network' },
  PidMode: { type: 'pid', file: 'pid', word: 'PID' },
  IpcMode: { type: 'ipc', file: 'ipc', word: 'IPC' },
  UTSMode: { type: 'uts', file: 'uts', word: 'UTS' },
};

/** The id in `container:ID`; undefined for any other mode. */
export const joinedContainer = (mode: string): string | undefined =>
  mode.startsWith('container:') ? mode.slice('container:'.length) : undefined;

/**
 * Which namespaces are not the container's own.
 * @returns for each its path; undefined: it is the host's
 * @throws TinyrunError NOT_FOUND, STATE in Docker's words if the other one does not run or does not share
 */
export function joinedNamespaces(
  global: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  hostConfig: HostConfig,
): Partial<Record<NamespaceType, string | undefined>> {
  const joined: Partial<Record<NamespaceType, string | undefined>> = {};
  for (const [mode, { type, file, word }] of Object.entries(MODES)) {
    const value = hostConfig[mode as Mode];
    const id = joinedContainer(value);
    if (value === 'host') joined[type] = undefined;
    else if (id !== undefined) joined[type] = `/proc/${runningPid(global, id, word)}/ns/${file}`;
  }
  return joined;
}

function runningPid(
  { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  id: string,
  word: string,
): number {
  const record = readRecord(dataRoot, id);
  if (record === undefined) throw new TinyrunError('NOT_FOUND', `No such container: ${id}`);
  if (word === 'IPC' && !['shareable', 'host'].includes(record.hostConfig.IpcMode))
    throw new TinyrunError(
      'STATE',
      `can't join IPC of container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      { hint: 'start that one with --ipc shareable' },
    );
  const container = findContainer(root, id);
  const pidfd =
    container === undefined || container.state.pid === 0 ? undefined : openProcess(container.init);
  if (container === undefined || pidfd === undefined)
    throw new TinyrunError('STATE', `cannot join ${word} of a non running container: ${id}`, {
      hint: `start it first: tinyrun start ${record.name}`,
    });
  close(pidfd);
  return container.state.pid;
}
