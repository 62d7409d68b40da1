// `tinyrun exec`: one more process in a container. The facts are the container's: its state, the config it was made of, and
// init, held by a pidfd from the first look on.

import { close, fcntl, flag } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { INIT_PIDFD } from '../oci/state.ts';
import { ungrantableCapabilities } from '../plan/credentials.ts';
import { planExecProgram } from '../plan/exec.ts';
import type { ExecInput } from '../plan/input.ts';
import { hasNew } from '../plan/namespaces.ts';
import { becomeProgram, type TraceLines } from './become.ts';
import { readConfig } from './config-file.ts';
import { type ExecSources, keepExec, toKeepableExec } from './exec-cache.ts';
import { dependsOnInit, execCgroups } from './exec-cgroup.ts';
import { execProcess, readProcessFile } from './exec-process.ts';
import { gatherProcess } from './gather-process.ts';
import { fill } from './keepable.ts';
import { createLog, type Log } from './log.ts';
import type { ExecOptions, GlobalOptions } from './options.ts';
import { checkTerminal, inheritFds, keepOpen, openLog, openTrace, reports } from './outputs.ts';
import { probeHost, readText } from './probe.ts';
import { openProcess } from './process.ts';
import { parseSavedConfig, savedConfigPath } from './saved-config.ts';
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
  let warned = false;
  const warn = (message: string): void => {
    warned = true;
    log.warn(message);
  };
  const { input, sources } = await gatherExec(global, options, { ...log, warn });
  const keepable = warned ? undefined : toKeepableExec(global, options, input, sources);
  const program = planExecProgram(keepable?.input ?? input);
  return becomeProgram(global, options, input.host, log, program, traceLines, (image) => {
    if (keepable === undefined) return;
    const problem = keepExec(global, options, keepable, sources, image);
    if (problem !== undefined) log.debug(`the program is not kept: ${problem}`);
    fill(keepable, image);
  });
}

async function gatherExec(
  global: GlobalOptions,
  options: ExecOptions,
  log: Log,
): Promise<{ input: ExecInput; sources: ExecSources }> {
  const { id } = options;
  const container = readContainer(global.root, id);
  const { state, init, noPivot, cgroups } = container;
  assertLegal(options.ignorePaused ? 'exec-ignore-paused' : 'exec', id, state.status);
  const pidfd = openProcess(init);
  if (pidfd === undefined) throw refusal('exec', id, 'stopped');
  const configPath = savedConfigPath(global.root, id);
  const text = readConfig(configPath);
  const config = parseSavedConfig(text, configPath);
  const processText = readProcessFile(options);
  config.process = execProcess(config.process, options, processText, log);
  const lifecycle = options.detach ? 'detached' : 'foreground';
  checkTerminal(config.process.terminal === true, { lifecycle, consoleSocket: options.consoleSocket });
  const host = probeHost();
  const chroot = noPivot || !hasNew({ config }, 'mount');
  if (host.euid !== 0)
    throw new TinyrunError('HOST', 'start a process in a container: you are not root', { hint: 'use sudo' });
  const ungrantable = ungrantableCapabilities({ config, host });
  if (ungrantable.length > 0) log.warn(`capabilities that this host cannot grant: ${ungrantable.join(', ')}`);
  listen(config, options.listenFds);
  const logFd = openLog(global);
  const input: ExecInput = {
    config,
    host,
    id,
    lifecycle,
    monitor: undefined,
    init: handInit(global.root, id, chroot, { pid: init.pid, pidfd }, options),
    bundle: state.bundle,
    rootless: undefined,
    noNewKeyring: false,
    chroot,
    cgroups: cgroupsOf(cgroups, options, init.pid),
    ...(await gatherProcess(config, host, lifecycle, [`/proc/${init.pid}/root`], global.root, log)),
    exits: options.process === undefined ? RUNC_EXITS : DOCKER_EXITS,
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
  return { input, sources: { container, config: text, process: processText } };
}

/** The exit code of our own failures: any other may be one of the process. */
export const EXIT = 255;
const RUNC_EXITS = { failure: EXIT, notExecutable: EXIT, notFound: EXIT };
/** Docker's, for containers with a record. */
export const DOCKER_EXITS = { failure: 126, notExecutable: 126, notFound: 127 };

/** Of an ordinary container the program finds init by itself. */
function handInit(
  stateRoot: string,
  id: string,
  chroot: boolean,
  { pid, pidfd }: { pid: number; pidfd: number },
  { preserveFds }: ExecOptions,
): ExecInput['init'] {
  if (chroot || !exists(AT_FDCWD, `${stateRoot}/${id}/${INIT_PIDFD}`))
    return { pid, fd: moveUp(pidfd, 3 + preserveFds) };
  close(pidfd);
  return { stateRoot };
}

/** A descriptor that the program inherits, above all that the container is to get. */
function moveUp(fd: number, from: number): number {
  const moved = fcntl(fd, flag('F_DUPFD_CLOEXEC'), from);
  close(fd);
  return keepOpen(moved);
}

/** The cgroups to join. Few containers have none, and few calls ask for others than the container's on a v1 host. */
function cgroupsOf(
  own: Container['cgroups'],
  { cgroups: asked }: ExecOptions,
  pid: number,
): ExecInput['cgroups'] {
  if (!dependsOnInit(own, asked)) return own;
  const text = readText(`/proc/${pid}/cgroup`, 1 << 20);
  return execCgroups(own, asked, typeof text === 'string' ? text : '');
}

/** sd_listen_fds(3); LISTEN_PID comes when the pid is known. */
function listen({ process }: Config, listenFds: number): void {
  if (listenFds === 0) return;
  const others = process.env?.filter((entry) => !/^LISTEN_(FDS|PID)=/.test(entry)) ?? [];
  process.env = [...others, `LISTEN_FDS=${listenFds}`];
}
