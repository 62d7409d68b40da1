// Programs of `exec`, kept for later calls as those of `run` are (program-cache.ts). One serves all containers that were made of
// the same config: the id is put in, and init is found by the program itself (plan/init-pidfd.ts). So only for containers
// that have an init.pidfd, which a paused one has not.
//
// What the launcher looks at again, with the id put in:
//
//   STATE_ROOT/ID/config.json, and the process file      what the process is made of: all of it
//   STATE_ROOT/ID/state.json                             its end, where the cgroups are and how the root was made
//   whether the container is being created, or frozen
//   /proc/PID/cgroup, and etc/passwd in /proc/PID/root   where the plan has to do with them. PID stands in init.pidfd; that
//                                                        it is still init's is seen when the program opens its pidfd

import type { Config } from '../oci/config.ts';
import { CREATING_FIFO, INIT_PIDFD } from '../oci/state.ts';
import type { ExecInput } from '../plan/input.ts';
import { directoryV1, directoryV2, readCgroupFile } from './cgroup/files.ts';
import { dependsOnInit, execCgroups } from './exec-cgroup.ts';
import { setsHome } from './gather-process.ts';
import {
  isKept,
  type Keepable,
  keepLaunchFile,
  PROCESS_FILE,
  passLog,
  passwdCheck,
  securityChecks,
  toKeepable,
} from './keepable.ts';
import type { Check, Placeholder } from './launch-file.ts';
import type { ExecOptions, GlobalOptions } from './options.ts';
import { readText } from './probe.ts';
import { homeIn, readPasswd } from './probe-rootfs.ts';
import type { Container } from './store.ts';

/** What the plan of an `exec` was made of, as it was read. */
export interface ExecSources {
  container: Container;
  /** config.json of the state directory. */
  config: string;
  /** The file of `--process`. */
  process: string | undefined;
}

const utf8 = new TextEncoder();
/** Stands for the pid of init, in ten characters. */
const INIT = '@'.repeat(10);

/** The same exec, if its program is one to keep, to be planned with placeholders. */
export function toKeepableExec(
  global: GlobalOptions,
  options: ExecOptions,
  input: ExecInput,
  { config, process: processText }: ExecSources,
): Keepable<ExecInput> | undefined {
  const { id, host, init, seccomp, terminal, home } = input;
  if (!isKept(global, options) || host.inUserNamespace || !('stateRoot' in init)) return undefined;
  if (terminal !== undefined || seccomp?.listener !== undefined) return undefined;
  const paths = input.cgroups.map(({ path }) => path);
  return toKeepable(
    {
      'given id': id,
      'pid file': input.pidFile,
      'console socket': input.consoleSocket,
      'process file': options.processFile,
      'log file': global.log,
    },
    [config, processText ?? '', home, host.hostname, ...process.argv, ...paths],
    host.now,
    (placeholder) => {
      const given = placeholder('given id') ?? id;
      return {
        ...input,
        ...passLog(global, input, placeholder('log file')),
        id: given,
        pidFile: placeholder('pid file') ?? input.pidFile,
        consoleSocket: placeholder('console socket') ?? input.consoleSocket,
        cgroups: input.cgroups.map((place) => ({ ...place, path: place.path.replaceAll(id, given) })),
      };
    },
  );
}

/**
 * Keeps the program of this exec, if all that it depends on can be looked at again.
 * @param image with placeholders
 * @returns why it could not be, for --debug; undefined where it is, or is not to be
 */
export function keepExec(
  global: GlobalOptions,
  options: ExecOptions,
  keepable: Keepable<ExecInput>,
  sources: ExecSources,
  image: Uint8Array,
): string | undefined {
  const { id, host } = keepable.input;
  const directory = `${global.root}/${id}`;
  const withPlace = (text: string): string => text.replaceAll(options.id, id);
  const checks = checksOf(global.root, options.cgroups, keepable.input, sources, directory, withPlace);
  if (checks === undefined) return undefined;
  const init: Placeholder = { kind: 'number', text: INIT };
  return keepLaunchFile(global, keepable, checks, image, host.now, [init], `${directory}/${INIT_PIDFD}`);
}

/**
 * What the plan took from the disk, as checks; undefined where it is no longer so. Every part of the input is named, as for
 * `run`.
 * @param input with placeholders
 * @param directory the state directory, with a placeholder for the id
 * @param withPlace puts that placeholder into a text
 */
function checksOf(
  root: string,
  asked: readonly string[],
  input: ExecInput,
  { container, config, process }: ExecSources,
  directory: string,
  withPlace: (text: string) => string,
): Check[] | undefined {
  const {
    config: planned,
    id,
    bundle,
    init,
    chroot,
    cgroups,
    home,
    securityModules,
    seccomp,
    ...rest
  } = input; // bundle: for a listener only
  const { rootless, noNewKeyring, lifecycle, exits, preserveFds, listenFds, ...more } = rest; // the command line
  const {
    pidFile,
    consoleSocket,
    pidfdSocket,
    terminal,
    monitor,
    reports,
    logFd,
    logPath,
    trace,
    step,
    host,
    ...unknown
  } = more; // likewise; the invocation
  unknown satisfies Record<string, never>;
  const { pid } = container.init;
  const checks: (Check | undefined)[] = [
    { want: 'contents', path: `${directory}/config.json`, contents: utf8.encode(config) },
    ...(process === undefined
      ? []
      : [{ want: 'contents' as const, path: PROCESS_FILE, contents: utf8.encode(process) }]),
    { want: 'missing', path: `${directory}/${CREATING_FIFO}` },
    stateCheck(directory, root, container, withPlace),
    ...frozenChecks(container, withPlace),
    ...joinedChecks(asked, cgroups, pid, container, withPlace),
    ...(setsHome(planned) ? [] : [homeCheck(planned, pid, home)]),
    ...securityChecks(securityModules),
  ];
  return checks.every((check) => check !== undefined) ? checks : undefined;
}

/** The end of state.json: what only tinyrun needs is its last part. The pid and the time in front of it differ. */
function stateCheck(
  directory: string,
  root: string,
  { state: { id }, cgroups, noPivot }: Container,
  withPlace: (text: string) => string,
): Check | undefined {
  const text = readText(`${root}/${id}/state.json`, 1 << 20);
  const ending = typeof text === 'string' ? text.slice(text.lastIndexOf(',"tinyrun":')) : '';
  if (!ending.startsWith(',')) return undefined;
  const { tinyrun }: { tinyrun: Partial<Container> } = JSON.parse(`{${ending.slice(1)}`);
  const isSame =
    JSON.stringify([tinyrun.cgroups ?? [], tinyrun.noPivot === true]) === JSON.stringify([cgroups, noPivot]);
  return isSame
    ? { want: 'ending', path: `${directory}/state.json`, contents: utf8.encode(withPlace(ending)) }
    : undefined;
}

/** That it is not frozen; as isPaused of cgroup/freezer.ts. */
function frozenChecks({ cgroups }: Container, withPlace: (text: string) => string): (Check | undefined)[] {
  const v1 = directoryV1(cgroups, 'freezer');
  const v2 = directoryV2(cgroups);
  if (v1 === undefined && v2 === undefined) return [];
  const path = v1 === undefined ? `${v2}/cgroup.freeze` : `${v1}/freezer.self_freezing`;
  const text = readCgroupFile(path);
  if (text === undefined) return [{ want: 'missing', path: withPlace(path) }];
  return [
    text.startsWith('1')
      ? undefined
      : { want: 'contents', path: withPlace(path), contents: utf8.encode(text) },
  ];
}

/** Where init is: in the unified hierarchy the process goes there, too. */
function joinedChecks(
  asked: readonly string[],
  joined: ExecInput['cgroups'],
  pid: number,
  { cgroups }: Container,
  withPlace: (text: string) => string,
): (Check | undefined)[] {
  if (!dependsOnInit(cgroups, asked)) return [];
  const text = readText(`/proc/${pid}/cgroup`, 1 << 20);
  if (typeof text !== 'string') return [undefined];
  const isSame = withPlace(JSON.stringify(execCgroups(cgroups, asked, text))) === JSON.stringify(joined);
  return [
    isSame
      ? { want: 'contents', path: `/proc/${INIT}/cgroup`, contents: utf8.encode(withPlace(text)) }
      : undefined,
  ];
}

/** The passwd file that says where home is, as init sees it. */
function homeCheck(config: Config, pid: number, home: string): Check | undefined {
  const text = readPasswd(`/proc/${pid}/root`);
  return homeIn(text, config.process.user?.uid ?? 0) === home
    ? passwdCheck(`/proc/${INIT}/root`, text)
    : undefined;
}
