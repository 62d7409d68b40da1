// `tinyrun exec`: one more process in a container. The facts are the container's: its state, the config it was made of, and
// init, held by a pidfd from the first look on.

import { close, fcntl, flag, rawSyscall } from '../../native-bindings/libc.ts';
import { becomeImage } from '../engine/image.ts';
import { linkProgram } from '../engine/native.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { ungrantableCapabilities } from '../plan/credentials.ts';
import { planExecProgram } from '../plan/exec.ts';
import type { ExecInput } from '../plan/input.ts';
import { hasNew } from '../plan/namespaces.ts';
import { readConfig } from './config-file.ts';
import { execProcess } from './exec-process.ts';
import { gatherFilter } from './filter.ts';
import { createLog, type Log } from './log.ts';
import type { ExecOptions, GlobalOptions } from './options.ts';
import { checkTerminal, keepOpen, openLog, openTrace, reports } from './outputs.ts';
import { findHome, probeHost, readText } from './probe.ts';
import { openProcess } from './process.ts';
import { preserve, type TraceLines } from './run.ts';
import { parseSavedConfig } from './saved-config.ts';
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
  // What the caller has open besides is no business of the container.
  rawSyscall('close_range', 3 + options.preserveFds, 0xffffffff, flag('CLOSE_RANGE_CLOEXEC'));
  if (options.preserveFds > 0) preserve(options.preserveFds);
  const input = await gatherExec(global, options, log);
  const program = planExecProgram(input);
  const lines = options.trace === undefined ? undefined : await traceLines(program);
  const engineOptions = {
    name: 'tinyrun',
    fallbackDirectory: global.root,
    debug: log.debug,
    ...(lines === undefined ? {} : { lines }),
  };
  if (options.engine === 'ffi')
    return (await import('../engine/ffi.ts')).becomeProgram(program, input.host.arch, engineOptions);
  return becomeImage(linkProgram(program, input.host.arch, lines), engineOptions);
}

async function gatherExec(global: GlobalOptions, options: ExecOptions, log: Log): Promise<ExecInput> {
  const { id } = options;
  const { state, init, noPivot, cgroups } = readContainer(global.root, id);
  assertLegal(options.ignorePaused ? 'exec-ignore-paused' : 'exec', id, state.status);
  const pidfd = openProcess(init);
  if (pidfd === undefined) throw refusal('exec', id, 'stopped');
  const path = `${global.root}/${id}/config.json`;
  const config = parseSavedConfig(readConfig(path), path);
  config.process = execProcess(config.process, options, log);
  const lifecycle = options.detach ? 'detached' : 'foreground';
  const terminal = config.process.terminal === true;
  checkTerminal(terminal, { lifecycle, consoleSocket: options.consoleSocket });
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
    init: { pid: init.pid, fd: moveUp(pidfd, 3 + options.preserveFds) },
    bundle: state.bundle,
    rootless: undefined,
    securityModules: await securityModules(config),
    noNewKeyring: false,
    seccomp: await gatherFilter(config, host, global.root, log),
    chroot: noPivot || !hasNew({ config }, 'mount'),
    cgroups: await cgroupsOf(cgroups, options, init.pid),
    home: config.process.env?.some((entry) => entry.startsWith('HOME='))
      ? '/'
      : findHome([`/proc/${init.pid}/root`], config.process.user?.uid ?? 0),
    exits: { failure: EXIT, notExecutable: EXIT, notFound: EXIT },
    listenFds: options.listenFds,
    preserveFds: options.preserveFds,
    pidFile: options.pidFile,
    consoleSocket: options.consoleSocket,
    pidfdSocket: options.pidfdSocket,
    terminal:
      terminal && lifecycle === 'foreground' ? (await import('./terminal.ts')).probeTerminal() : undefined,
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

async function securityModules(config: Config): Promise<ExecInput['securityModules']> {
  const { apparmorProfile, selinuxLabel } = config.process;
  if (!apparmorProfile && !selinuxLabel && !config.linux?.mountLabel) return [];
  return (await import('./probe-security.ts')).probeSecurityModules(config);
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
