// tinyrun start [-a] [-i] CONTAINER...: containers with a record.

import { close } from '../../../native-bindings/libc.ts';
import { resolveContainer } from '../../container/find.ts';
import { hasMonitor } from '../../container/monitor.ts';
import { type ContainerRecord, lockContainer } from '../../container/record.ts';
import { startContainer } from '../../container/start.ts';
import { hasProcess, statusOf } from '../../container/status.ts';
import { TinyrunError } from '../../errors.ts';
import { containerDirectory } from '../../oci/state.ts';
import type { AttachInput } from '../../plan/input.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { callForEach } from '../call.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { toDetachKeys } from '../container-options.ts';
import { engineOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [name = '', ...others] = line.args;
  const attached = flag(line, 'attach') || flag(line, 'interactive');
  // Each becomes its container's host program: so each is a process of its own.
  if (others.length > 0 && !attached) return callForEach('start', [], line.args, global);
  if (others.length > 0)
    throw new TinyrunError('USAGE', 'you cannot start and attach multiple containers at once');
  const record = resolveContainer(global, name);
  const lock = lockSettled(global, record);
  if (lock === undefined) throw new TinyrunError('NOT_FOUND', `No such container: ${name}`);
  const how: AttachInput = {
    stdin: flag(line, 'interactive'),
    stdout: true,
    stderr: true,
    sigProxy: line.options['sig-proxy'] === undefined || flag(line, 'sig-proxy'),
    detachKeys: toDetachKeys(line),
  };
  if (hasProcess(statusOf(global, record).status)) {
    close(lock);
    if (attached) return await attachTo(global, record, how);
    print(1, `${name}\n`);
    return 0;
  }
  const options = { attach: attached ? how : undefined, say: name, failure: 1, ...engineOptions(line, cwd) };
  return await startContainer(global, record, lock, options, traceLines);
}

/** How often it is looked whether a container has been started, or has ended; milliseconds. */
const STEP_MS = 5;

/**
 * Locks a container that has a process, or neither that nor a host program: while others start it, and while its host program has
 * still to do with its end, it can be neither started nor called started.
 * @returns undefined where there is none (any more)
 */
function lockSettled(global: GlobalOptions, record: ContainerRecord): number | undefined {
  for (;;) {
    const lock = lockContainer(global.dataRoot, record.id);
    if (lock === undefined || hasProcess(statusOf(global, record).status)) return lock;
    if (!hasMonitor(global.root, record.id)) return lock;
    close(lock);
    Bun.sleepSync(STEP_MS);
  }
}

/** It runs already: for Docker, too, this is no mistake. */
async function attachTo(
  { root, dataRoot }: GlobalOptions,
  { id, config }: ContainerRecord,
  how: AttachInput,
): Promise<number> {
  const { attach } = await import('../../container/attach.ts');
  const container = { id, directory: containerDirectory(dataRoot, id), tty: config.Tty };
  return await attach(root, container, { ...how, stdin: how.stdin && config.OpenStdin });
}
