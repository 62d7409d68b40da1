// `tinyrun exec`: one more process in a container. The facts are the container's: its state, the config it was made of, and
// init, held by a pidfd from the first look on.

import { close, fcntl, flag } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { ungrantableCapabilities } from '../plan/credentials.ts';
import { planExecProgram } from '../plan/exec.ts';
import type { ExecInput } from '../plan/input.ts';
import { hasNew } from '../plan/namespaces.ts';
import { becomeProgram, type TraceLines } from './become.ts';
import { execProcess } from './exec-process.ts';
import { gatherProcess } from './gather-process.ts';
import { createLog, type Log } from './log.ts';
import type { ExecOptions, GlobalOptions } from './options.ts';
import { checkTerminal, inheritFds, keepOpen, openLog, openTrace, reports } from './outputs.ts';
import { probeHost, readText } from './probe.ts';
import { openProcess } from './process.ts';
import { readSavedConfig } from './saved-config.ts';
import { assertLegal, refusal } from './status.ts';
import { type Container, readContainer } from './store.ts';

/** What a failure of `exec` starts with, as runc's: engines read on behind it. */
export const EXEC_FAILED = 'exec failed: ';

/**
 * Starts a process in a container: this process becomes its host program. In the foreground it ends with the exit code
 * of the process, else as soon as its program runs.
 * @throws TinyrunError where it cannot even begin
 */
export async function execInContainer(
  global: GlobalOptions,
  options: ExecOptions,
  traceLines: TraceLines,
): Promise<never> {
  const log = createLog(global);
  inheritFds(options.preserveFds);
  const input = await gatherExec(global, options, log);
  const program = planExecProgram(input);
  return becomeProgram(global, options, input.host, log, program, traceLines);
}

async function gatherExec(global: GlobalOptions, options: ExecOptions, log: Log): Promise<ExecInput> {
  const { id } = options;
  const { state, init, noPivot, cgroups } = readContainer(global.root, id);
  assertLegal(options.ignorePaused ? 'exec-ignore-paused' : 'exec', id, state.status);
  const pidfd = openProcess(init);
  if (pidfd === undefined) throw refusal('exec', id, 'stopped');
  const config = readSavedConfig(global.root, id);
  config.process = execProcess(config.process, options, log);
  const lifecycle = options.detach ? 'detached' : 'foreground';
  checkTerminal(config.process.terminal === true, { lifecycle, consoleSocket: options.consoleSocket });
  const host = probeHost();
  if (host.euid !== 0)
    throw new TinyrunError('HOST', 'start a process in a container: you are not root', { hint: 'use sudo' });
  const ungrantable = ungrantableCapabilities({ config, host });
  if (ungrantable.length > 0) log.warn(`capabilities that this host cannot grant: ${ungrantable.join(', ')}`);
  listen(config, options.listenFds);
  const logFd = openLog(global);
  return {
    config,
    host,
    id,
    lifecycle,
    monitor: undefined,
    init: { pid: init.pid, fd: moveUp(pidfd, 3 + options.preserveFds) },
    bundle: state.bundle,
    rootless: undefined,
    noNewKeyring: false,
    chroot: noPivot || !hasNew({ config }, 'mount'),
    cgroups: await cgroupsOf(cgroups, options, init.pid),
    ...(await gatherProcess(config, host, lifecycle, [`/proc/${init.pid}/root`], global.root, log)),
    exits: { failure: EXIT, notExecutable: EXIT, notFound: EXIT },
    listenFds: options.listenFds,
    preserveFds: options.preserveFds,
    pidFile: options.pidFile,
    consoleSocket: options.consoleSocket,
    pidfdSocket: options.pidfdSocket,
    reports: reports(global, host, logFd, EXEC_FAILED),
    logFd,
    trace: options.trace === undefined ? undefined : openTrace(options.trace),
    step: options.stepFd === undefined ? undefined : keepOpen(options.stepFd),
  };
}

/** The exit code of our own failures: any other may be one of the process. */
export const EXIT = 255;

/** A descriptor that the program inherits, above all that the container is to get. */
function moveUp(fd: number, from: number): number {
  const moved = fcntl(fd, flag('F_DUPFD_CLOEXEC'), from);
  close(fd);
  return keepOpen(moved);
}

/** The cgroups to join. Few containers have none, and few calls ask for others than the container's on a v1 host. */
async function cgroupsOf(
  own: Container['cgroups'],
  { cgroups: asked }: ExecOptions,
  pid: number,
): Promise<ExecInput['cgroups']> {
  if (asked.length === 0 && !own.some(({ controllers }) => controllers === '')) return own;
  const text = readText(`/proc/${pid}/cgroup`, 1 << 20);
  return (await import('./exec-cgroup.ts')).execCgroups(own, asked, typeof text === 'string' ? text : '');
}

/** sd_listen_fds(3); LISTEN_PID comes when the pid is known. */
function listen({ process }: Config, listenFds: number): void {
  if (listenFds === 0) return;
  const others = process.env?.filter((entry) => !/^LISTEN_(FDS|PID)=/.test(entry)) ?? [];
  process.env = [...others, `LISTEN_FDS=${listenFds}`];
}
