// Programs of `run` and `create` that were planned, kept for later calls. A plan is a pure function of the config, the command
// line and the host, so the linked program of an earlier call serves again where all of that is the same: the launcher
// (native-bindings/launch.c) then executes it without any JavaScript.
//
//   STATE_ROOT/.programs/NAME   a launch file (launch-file.ts)
//   NAME, invocation            from the launcher: this build and its place, the command line, the host, the caller
//   checks                      what was found on disk when it was planned, config.json itself among it
//   placeholders                where the id, the time of creation and other parameters stand: the only things that differ
//
// Only where planning had no messages: those must be said again. How such files are kept safely: kept.ts.

import { close } from '../../native-bindings/libc.ts';
import { hasHooks, POINTS } from '../plan/hook-points.ts';
import type { PlanInput } from '../plan/input.ts';
import { allMounts, destinationsInRootfs } from './gather-mounts.ts';
import { setsHome } from './gather-process.ts';
import {
  isKept,
  type Keepable,
  keepLaunchFile,
  passLog,
  passwdCheck,
  securityChecks,
  toKeepable,
} from './keepable.ts';
import type { Check } from './launch-file.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import {
  CGROUP_MOUNT,
  controllersFile,
  MOUNTS,
  mountedHierarchies,
  readCgroupFiles,
} from './probe-cgroups.ts';
import { existsInRoot, homeIn, openRoot, readPasswd } from './probe-rootfs.ts';

const utf8 = new TextEncoder();

/** Whether the id is one that nobody has given. */
const hasNewId = ({ form, named }: RunOptions): boolean => form === 'bundle' && !named;

/**
 * The same run, if its program is one to keep, to be planned with placeholders.
 * @param text of config.json
 */
export function toKeepableRun(
  global: GlobalOptions,
  options: RunOptions,
  input: PlanInput,
  text: string,
): Keepable<PlanInput> | undefined {
  if (!isKept(global, options) || global.cgroupManager === 'systemd') return undefined; // it is asked for a scope
  if (options.form === 'container') return undefined;
  if (input.rootfs.kind !== 'directory' || input.uses !== undefined) return undefined; // what it mounts is written down each time
  // Who copies is handed the open file.
  const mayCopyUp = [text, ...process.argv].some((words) => words.includes('tmpcopyup'));
  if (global.log !== undefined && mayCopyUp) return undefined;
  const { id } = input;
  // A config that names the id is for one container, as those that engines write: it is never used again.
  if (!hasNewId(options) && text.includes(id)) return undefined;
  const places = input.cgroup?.places ?? [];
  return toKeepable(
    {
      'given id': options.form === 'runc' ? id : undefined,
      'pid file': input.pidFile,
      'console socket': input.consoleSocket,
      'log file': global.log,
    },
    [text, input.home, input.host.hostname, ...process.argv, ...places.map(({ path }) => path)],
    input.host.now,
    (placeholder) => {
      const given = placeholder('given id');
      const own = (path: string): string =>
        given !== undefined && path.endsWith(`/${id}`) ? path.slice(0, -id.length) + given : path;
      return {
        ...input,
        ...passLog(global, input, placeholder('log file')),
        id: given ?? id,
        pidFile: placeholder('pid file') ?? input.pidFile,
        consoleSocket: placeholder('console socket') ?? input.consoleSocket,
        cgroup: input.cgroup && {
          ...input.cgroup,
          places: places.map((place) => ({ ...place, path: own(place.path) })),
        },
      };
    },
  );
}

/**
 * Keeps the program of this run, if all that it depends on can be looked at again.
 * @param text of config.json
 * @param image with placeholders
 * @returns why it could not be, for --debug; undefined where it is, or is not to be
 */
export function keepProgram(
  global: GlobalOptions,
  options: RunOptions,
  keepable: Keepable<PlanInput>,
  text: string,
  image: Uint8Array,
): string | undefined {
  const { input } = keepable;
  const checks = checksOf(options, input, text);
  if (checks === undefined) return undefined;
  return keepLaunchFile(global, keepable, checks, image, input.host.now, [
    ...(hasNewId(options) ? [{ kind: 'new id', text: input.id } as const] : []),
  ]);
}

/**
 * What the plan took from the disk, as checks; undefined where that is too much to look at again.
 *
 * Every part of the input is named here: a new one does not compile until somebody has thought about how a later run finds
 * out that it has changed. The facts of the host are compared by the launcher (`describe` in invocation.c).
 */
function checksOf(options: RunOptions, input: PlanInput, text: string): Check[] | undefined {
  const { host, config, configPath, rootfs, sources, present, resolved, home, cgroups, terminal, ...rest } =
    input;
  const { id, bundle, stateRoot, dataRoot, flagMounts, transient, args, exits, noPivot, init, ...more } =
    rest; // the command line
  const { lifecycle, printId, preserveFds, configMounts, monitor, pidFile, consoleSocket, ...lines } = more; // likewise
  const { pidfdSocket, self, ...others } = lines;
  const { environment, reports, logFd, logPath, trace, step, seccomp, cgroup, noNewKeyring, ...facts } =
    others; // of hooks; what isKept excludes; the config
  const { rootless, securityModules, resctrl, netDevices, uses, ...unknown } = facts;
  const { arch, euid, inUserNamespace, kernel, hostname, capBounding, ...moreFacts } = host;
  const { sigIgnored, noFile, cwd, now, ...uncompared } = moreFacts;
  unknown satisfies Record<string, never>;
  uncompared satisfies Record<string, never>;
  if (rootfs.kind !== 'directory' || resolved.size > 0 || terminal !== undefined) return undefined;
  if (hasHooks(input, ...POINTS)) return undefined; // they may depend on the environment
  // What few containers have, and what may change at any time.
  if (inUserNamespace || rootless !== undefined || resctrl !== undefined || netDevices.length > 0)
    return undefined;
  const root = rootfs.path;
  const checks: Check[] = [
    { want: 'contents', path: configPath, contents: utf8.encode(text) },
    { want: 'directory', path: root },
    ...securityChecks(securityModules),
  ];
  // What the argument of `run` means depends on which of these is there (cli/target.ts).
  if (options.found) {
    const other = options.form === 'runc' ? `${id}/config.json` : 'config.json';
    checks.push({ want: 'missing', root: cwd, path: other }, { want: 'missing', path: `${dataRoot}/image` });
  }
  // What is left of a killed container with this id would have to be removed first.
  if (!hasNewId(options)) checks.push({ want: 'missing', root: stateRoot, path: id });
  for (const [path, want] of sources) checks.push({ want, path });
  for (const { destination } of destinationsInRootfs(allMounts(input))) {
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
    for (const [path, text] of Object.entries(files ?? {})) {
      const isMounts = path === MOUNTS;
      const contents = isMounts ? `${CGROUP_MOUNT}\0${linesWith(text, CGROUP_MOUNT)}` : text;
      checks.push({ want: isMounts ? 'lines' : 'contents', path, contents: utf8.encode(contents) });
    }
  }
  return checks;
}

/** Of all mounts, only those of cgroups count: others come and go. */
const linesWith = (text: string, part: string): string =>
  text
    .split(/(?<=\n)/)
    .filter((line) => line.includes(part))
    .join('');

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
  return homeIn(text, uid) === home ? passwdCheck(root, text) : undefined;
}
