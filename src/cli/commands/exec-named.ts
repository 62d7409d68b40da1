// tinyrun exec [-i] [-t] [-d] [-e] [-u] [-w] [--privileged] CONTAINER COMMAND: in a container with a record.
import {
  flag as constant,
  memfdCreate,
  open,
  rawSyscall,
  SystemError,
  writeAll,
} from '../../../native-bindings/libc.ts';
import { execProcessOf } from '../../container/exec.ts';
import { parseEnvironment } from '../../container/key-value.ts';
import type { ContainerRecord } from '../../container/record.ts';
import { TinyrunError } from '../../errors.ts';
import type { Process } from '../../oci/config.ts';
import { DOCKER_EXITS, EXIT, execInContainer } from '../../runtime/exec.ts';
import { noCommand, withRights } from '../../runtime/exec-process.ts';
import { createLog, type Log } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { probeHost } from '../../runtime/probe.ts';
import { readSavedConfig } from '../../runtime/saved-config.ts';
import { findContainer } from '../../runtime/store.ts';
import { globalWords } from '../call.ts';
import { type CommandLine, flag, number, text, texts } from '../command-line.ts';
import { readListFiles } from '../container-options.ts';
import { toExecOptions } from '../exec-options.ts';
import { traceLines } from '../trace.ts';

export async function run(
  line: CommandLine,
  global: GlobalOptions,
  cwd: string,
  record: ContainerRecord,
): Promise<number> {
  const { root } = global;
  const { id } = record;
  const container = findContainer(root, id);
  const status = container?.state.status;
  if (container === undefined || status === 'stopped' || status === 'creating')
    throw new TinyrunError('STATE', `container ${id} is not running`, {
      hint: `start it: tinyrun start ${record.name}`,
      data: { id },
      exit: 1,
    });
  if ((line.rest ?? []).length === 0)
    throw noCommand(`exec in container ${record.name}: no COMMAND is given`);
  const own = readSavedConfig(root, id).process;
  const { pid } = container.state;
  const options = toExecOptions(line, cwd);
  const named = execProcessOf(record, pid, own, toFlags(line, cwd), probeHost().capBounding);
  const started = withRights(named, options);
  if (flag(line, 'detach')) return startDetached(global, id, started, passedOn(line));
  if (!flag(line, 'interactive') && !started.terminal) closeStdin();
  return await execInContainer(global, { ...options, id, process: started }, traceLines);
}

function toFlags(line: CommandLine, cwd: string): Parameters<typeof execProcessOf>[3] {
  const workingDir = text(line, 'workdir') ?? text(line, 'cwd');
  if (workingDir !== undefined && !workingDir.startsWith('/'))
    throw new TinyrunError(
      'USAGE',
      `the working directory '${workingDir}' is invalid, it needs to be an absolute path`,
    );
  return {
    args: line.rest ?? [],
    env: parseEnvironment([...readListFiles(line, 'env-file', cwd), ...texts(line, 'env')], process.env),
    user: text(line, 'user') || undefined,
    workingDir,
    privileged: flag(line, 'privileged'),
    tty: flag(line, 'tty'),
  };
}

/** Without --interactive nobody types: it reads the end at once. */
function closeStdin(): void {
  const none = open('/dev/null', constant('O_RDONLY'));
  rawSyscall('dup3', none, 0, 0);
  rawSyscall('close', none);
}

/**
 * Starts a process that nobody stays with: what it prints goes nowhere, and must not hold up who waits for the end of our
 * output. So it is started by a child of ours, whose messages come to us by a log file of its own: the process never has it.
 */
function startDetached(
  global: GlobalOptions,
  id: string,
  started: Process,
  options: readonly string[],
): number {
  const messages = memfdCreate('messages', constant('MFD_CLOEXEC'));
  const file = memfdCreate('process', constant('MFD_CLOEXEC'));
  writeAll(file, new TextEncoder().encode(JSON.stringify(started)));
  const log = `/proc/${process.pid}/fd/${messages}`;
  const words = globalWords({ ...global, log, logFormat: 'json' });
  const { exitCode } = Bun.spawnSync(
    [process.execPath, ...words, 'exec', '--detach', '--process', '/proc/self/fd/3', ...options, id],
    { stdio: ['ignore', 'ignore', 'ignore', file] },
  );
  passOn(createLog(global), messages);
  return exitCode === EXIT ? DOCKER_EXITS.failure : exitCode;
}

/**
 * Options that the process text does not have, as words for the child.
 * @throws TinyrunError USAGE for descriptors: who leaves at once has none to pass on
 */
function passedOn(line: CommandLine): string[] {
  if ((number(line, 'preserve-fds') ?? 0) > 0)
    throw new TinyrunError('USAGE', '--preserve-fds: not with --detach, for a container of an image');
  const words = ['pid-file', 'console-socket', 'pidfd-socket'].flatMap((name) => {
    const value = text(line, name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  const cgroups = texts(line, 'cgroup').flatMap((path) => ['--cgroup', path]);
  return [...words, ...cgroups, ...(flag(line, 'ignore-paused') ? ['--ignore-paused'] : [])];
}

/** Says what is in a log file of the form JSON: the first lines, should there be many. */
function passOn(log: Log, file: number): void {
  const bytes = new Uint8Array(1 << 16);
  const got = rawSyscall('pread64', file, bytes, bytes.length, 0);
  if (got < 0) throw new SystemError('read the messages', -got);
  for (const line of new TextDecoder().decode(bytes.subarray(0, got)).split('\n').slice(0, -1)) {
    const { level, msg }: { level: string; msg: string } = JSON.parse(line);
    if (level === 'error') log.error(msg);
    else if (level === 'warning') log.warn(msg);
    else log.debug(msg);
  }
}
