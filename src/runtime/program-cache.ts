// Programs that were planned, kept for later runs. A plan is a pure function of the config, the command line and the host,
// so the linked program of an earlier run serves again where all of that is the same: the launcher (native-bindings/
// launch.c) then executes it without any JavaScript.
//
//   STATE_ROOT/.programs/NAME   a launch file (launch-file.ts)
//   NAME, invocation            from the launcher: this build and its place, the command line, the host, the caller
//   checks                      what was found on disk when it was planned, config.json itself among it
//   patches                     where the id and the time of creation stand: the only things that differ
//
// Only for containers in the foreground, without messages at planning: those must be said again.
// How such files are kept safely: kept.ts.

import { close } from '../../native-bindings/libc.ts';
import { hasHooks, POINTS } from '../plan/hook-points.ts';
import type { PlanInput } from '../plan/input.ts';
import { destinationsInRootfs } from './gather-mounts.ts';
import { setsHome } from './gather-process.ts';
import { keepFile } from './kept.ts';
import { type Check, encodeLaunchFile, PROGRAMS, patchesOf } from './launch-file.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { readInvocation } from './prelude.ts';
import { controllersFile, mountedHierarchies, readCgroupFiles } from './probe-cgroups.ts';
import { existsInRoot, homeIn, openRoot, readPasswd } from './probe-rootfs.ts';

const utf8 = new TextEncoder();

/** Whether programs of such runs are kept at all. */
const isCacheable = (global: GlobalOptions, options: RunOptions): boolean =>
  options.lifecycle === 'foreground' &&
  options.engine === 'native' &&
  options.trace === undefined &&
  options.stepFd === undefined &&
  options.preserveFds === 0 &&
  global.log === undefined &&
  global.cgroupManager !== 'systemd' &&
  !global.debug;

/** Whether the id is one that nobody has given. */
const hasNewId = ({ form, named }: RunOptions): boolean => form === 'bundle' && !named;

/**
 * Keeps the executable of this run, if it is one to keep.
 * @param text of config.json
 * @returns why it could not be, for --debug; undefined where it is, or is not to be
 */
export function keepProgram(
  global: GlobalOptions,
  options: RunOptions,
  input: PlanInput,
  text: string,
  image: Uint8Array,
): string | undefined {
  if (!isCacheable(global, options)) return undefined;
  const invocation = readInvocation();
  const checks = checksOf(global, options, input, text);
  if (invocation === undefined || checks === undefined) return undefined;
  const created = new Date(input.host.now).toISOString();
  const file = encodeLaunchFile({
    invocation: invocation.bytes,
    checks,
    patches: [
      ...(hasNewId(options) ? patchesOf(image, 'new id', input.id) : []),
      ...patchesOf(image, 'milliseconds', created),
    ],
    image,
  });
  return keepFile(global.root, PROGRAMS.folder, invocation.name, [file], PROGRAMS.most);
}

/**
 * What the plan took from the disk, as checks; undefined where that is too much to look at again.
 *
 * Every part of the input is named here: a new one does not compile until somebody has thought about how a later run finds
 * out that it has changed. The facts of the host are compared by the launcher (`describe` in launch.c).
 */
function checksOf(
  { dataRoot }: GlobalOptions,
  options: RunOptions,
  input: PlanInput,
  text: string,
): Check[] | undefined {
  const { host, config, configPath, rootfs, sources, present, resolved, home, cgroups, terminal, ...rest } =
    input;
  const { id, bundle, stateRoot, flagMounts, transient, exits, noPivot, init, preserveFds, ...more } = rest; // the command line
  const { lifecycle, printId, configMounts, monitor, pidFile, consoleSocket, pidfdSocket, self, ...others } =
    more; // likewise
  const { environment, reports, logFd, trace, step, seccomp, cgroup, noNewKeyring, ...facts } = others; // of hooks; what isCacheable excludes; the config
  const { rootless, securityModules, resctrl, netDevices, uses, ...unknown } = facts;
  const { arch, euid, inUserNamespace, kernel, hostname, capBounding, ...moreFacts } = host;
  const { sigIgnored, noFile, cwd, now, ...uncompared } = moreFacts;
  unknown satisfies Record<string, never>;
  uncompared satisfies Record<string, never>;
  if (rootfs.kind !== 'directory' || resolved.size > 0 || terminal !== undefined) return undefined;
  if (uses !== undefined) return undefined; // what it mounts is found, and written down, each time
  if (hasHooks(input, ...POINTS)) return undefined; // they may depend on the environment
  // What few containers have, and what may change at any time.
  if (
    inUserNamespace ||
    rootless !== undefined ||
    resctrl !== undefined ||
    securityModules.length + netDevices.length > 0
  )
    return undefined;
  const root = rootfs.path;
  const checks: Check[] = [
    { want: 'contents', path: configPath, contents: utf8.encode(text) },
    { want: 'directory', path: root },
  ];
  // What the argument of `run` means depends on which of these is there (cli/target.ts).
  if (options.found) {
    const other = options.form === 'runc' ? `${id}/config.json` : 'config.json';
    checks.push({ want: 'missing', root: cwd, path: other }, { want: 'missing', path: `${dataRoot}/image` });
  }
  // What is left of a killed container with this id would have to be removed first.
  if (!hasNewId(options)) checks.push({ want: 'missing', root: stateRoot, path: id });
  for (const [path, want] of sources) checks.push({ want, path });
  for (const { destination } of destinationsInRootfs(input)) {
    if (!present.has(destination) && isThroughLinks(root, destination)) return undefined;
    checks.push({ want: present.has(destination) ? 'plain' : 'missing', root, path: destination });
  }
  if (!setsHome(config)) {
    const check = homeCheck(root, config.process.user?.uid ?? 0, home);
    if (check === undefined) return undefined;
    checks.push(check);
  }
  // The container's own cgroup: one that is there already is used in another way.
  if (cgroup?.existing) return undefined;
  if (!hasNewId(options) || config.linux?.cgroupsPath)
    for (const { path } of cgroup?.places ?? []) checks.push({ want: 'missing', path });
  if (cgroup !== undefined && cgroup.available.length > 0)
    checks.push({
      want: 'contents',
      path: controllersFile(cgroups),
      contents: utf8.encode(`${cgroup.available.join(' ')}\n`),
    });
  if (cgroups.length > 0) {
    const files = readCgroupFiles();
    if (JSON.stringify(mountedHierarchies(files)) !== JSON.stringify(cgroups)) return undefined;
    for (const [path, contents] of Object.entries(files ?? {}))
      checks.push({ want: 'contents', path, contents: utf8.encode(contents) });
  }
  return checks;
}

/** Whether a path is there, with a symlink on its way: neither of the checks would ever hold. */
function isThroughLinks(root: string, path: string): boolean {
  const directory = openRoot(root);
  if (directory < 0) return false;
  const there = existsInRoot(directory, path, false);
  close(directory);
  return there;
}

/** The passwd file that says where home is; undefined if it no longer does. */
function homeCheck(root: string, uid: number, home: string): Check | undefined {
  const text = readPasswd(root);
  if (homeIn(text, uid) !== home) return undefined;
  const path = 'etc/passwd';
  return text === undefined
    ? { want: 'missing', root, path }
    : { want: 'contents', root, path, contents: utf8.encode(text) };
}
