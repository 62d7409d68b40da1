// The command line of `exec` -> ExecOptions.

import { assertId } from '../runtime/id.ts';
import type { ExecOptions } from '../runtime/options.ts';
import { type CommandLine, flag, number, text, texts } from './command-line.ts';
import { engineOptions, path, readListenFds, socket } from './run-options.ts';

/**
 * Reads the options of `exec`.
 * @param cwd absolute; relative paths start there
 * @throws TinyrunError USAGE
 */
export function toExecOptions(line: CommandLine, cwd: string): ExecOptions {
  const id = line.args[0]!;
  assertId(id);
  const listenFds = readListenFds(process.env);
  return {
    id,
    processFile: path(line, 'process', cwd),
    process: undefined,
    args: [...(line.rest ?? [])],
    env: texts(line, 'env'),
    user: text(line, 'user') || undefined, // empty: not given, as for runc
    additionalGids: texts(line, 'additional-gids'),
    cwd: text(line, 'cwd') || undefined,
    capabilities: texts(line, 'cap'),
    noNewPrivileges: line.options['no-new-privs'] === undefined ? undefined : flag(line, 'no-new-privs'),
    apparmorProfile: text(line, 'apparmor'),
    selinuxLabel: text(line, 'process-label'),
    terminal: flag(line, 'tty'),
    detach: flag(line, 'detach'),
    ignorePaused: flag(line, 'ignore-paused'),
    cgroups: texts(line, 'cgroup'),
    pidFile: path(line, 'pid-file', cwd),
    consoleSocket: socket(line, 'console-socket', cwd),
    pidfdSocket: socket(line, 'pidfd-socket', cwd),
    listenFds,
    preserveFds: listenFds + (number(line, 'preserve-fds') ?? 0),
    ...engineOptions(line, cwd),
  };
}
