// The command lines of criu(8), which does the work of `checkpoint` and `restore`. What runc tells criu through its
// service protocol is told by options here; plan/checkpoint.ts and plan/restore.ts run it. What a dump calls external, a
// restore of the same bundle finds by the same name: both lists come from here.

import { parseMountOptions } from '../oci/mount-options.ts';
import { cleanInside } from './clean-inside.ts';
import type { PlanInput } from './input.ts';
import { listCgroupBinds } from './mount-cgroup.ts';
import { bindSource } from './mount-list.ts';

/** What dump and restore have in common; flags of runc's command line. */
export interface CriuOptions {
  /** Absolute: where the images are, and criu's log. */
  imagePath: string;
  workPath: string;
  tcpEstablished: boolean;
  extUnixSk: boolean;
  shellJob: boolean;
  fileLocks: boolean;
  autoDedup: boolean;
  lazyPages: boolean;
  manageCgroups: string;
  /** Namespaces that are there, but whose contents are not criu's affair. */
  emptyNetwork: boolean;
}

export interface DumpOptions extends CriuOptions {
  leaveRunning: boolean;
  /** Memory only; the container goes on. */
  preDump: boolean;
  /** Images of an earlier (pre-)dump, relative to imagePath. */
  parentPath: string | undefined;
  pageServer: { address: string; port: string } | undefined;
  statusFd: number | undefined;
}

export interface RestoreOptions extends CriuOptions {
  /** `apparmor:NAME` or `selinux:LABEL`. */
  lsmProfile: string | undefined;
  lsmMountContext: string | undefined;
}

/** A mount that criu neither saves nor makes: it is only told what belongs there. */
export interface ExternalMount {
  inside: string;
  outside: string;
}

/** The name of a network namespace that the container was given; runc's. */
const NETWORK = 'extRootNetNS';

const FLAGS = {
  tcpEstablished: '--tcp-established',
  extUnixSk: '--ext-unix-sk',
  shellJob: '--shell-job',
  fileLocks: '--file-locks',
  autoDedup: '--auto-dedup',
  lazyPages: '--lazy-pages',
} as const satisfies Partial<Record<keyof CriuOptions, string>>;

function commonArguments(options: CriuOptions, log: string): string[] {
  const { imagePath, workPath, manageCgroups, emptyNetwork } = options;
  const flags = (Object.keys(FLAGS) as (keyof typeof FLAGS)[]).filter((name) => options[name]);
  return [
    ...['-v4', '-o', log, '-D', imagePath, '-W', workPath, `--manage-cgroups=${manageCgroups}`],
    ...flags.map((name) => FLAGS[name]),
    ...(emptyNetwork ? ['--empty-ns', 'net'] : []),
  ];
}

/**
 * Binds, also of cgroups, and files that are masked by a null device.
 * @param maskedFiles those of /linux/maskedPaths that are files: a masked directory is a tmpfs, which criu knows
 */
export function externalMounts(
  input: Pick<PlanInput, 'config' | 'bundle' | 'cgroups' | 'cgroup'>,
  maskedFiles: readonly string[],
): ExternalMount[] {
  const { config, bundle } = input;
  const inside = (path: string): string => `/${cleanInside(path)}`;
  const binds = (config.mounts ?? []).filter(({ options = [] }) => {
    const { bind, remount } = parseMountOptions(options);
    return bind !== false && !remount;
  });
  return [
    ...binds.map((mount) => ({ inside: inside(mount.destination), outside: bindSource(mount, bundle) })),
    ...listCgroupBinds(input),
    ...maskedFiles.map((path) => ({ inside: inside(path), outside: '/dev/null' })),
  ];
}

/** What a dump depends on besides its options. */
export interface DumpFacts {
  pid: number;
  rootfs: string;
  external: readonly ExternalMount[];
  /** Names of the files outside of the container that are its stdin, stdout and stderr; undefined: not outside, or none. */
  stdio: readonly (string | undefined)[];
  /** The directory by which the container can be frozen. */
  freezer: string | undefined;
  /** Inode of a network namespace that the container was given. */
  networkInode: string | undefined;
}

export const DUMP_LOG = 'dump.log';
export const RESTORE_LOG = 'restore.log';

/** The words of `criu dump` or `criu pre-dump`. */
export function dumpArguments(options: DumpOptions, facts: DumpFacts): string[] {
  const { leaveRunning, preDump, parentPath, pageServer, statusFd, lazyPages } = options;
  const { pid, rootfs, external, stdio, freezer, networkInode } = facts;
  const files = stdio.filter((name) => name?.startsWith('file['));
  return [
    ...[preDump ? 'pre-dump' : 'dump', '-t', String(pid), '--root', rootfs],
    ...commonArguments(options, DUMP_LOG),
    ...(freezer === undefined ? [] : ['--freeze-cgroup', freezer]),
    ...(leaveRunning && !preDump ? ['--leave-running'] : []),
    ...(preDump || parentPath !== undefined ? ['--track-mem'] : []),
    ...(parentPath === undefined ? [] : ['--prev-images-dir', parentPath]),
    // With lazy pages criu serves them itself, at that address.
    ...(pageServer === undefined || lazyPages ? [] : ['--page-server']),
    ...(pageServer === undefined ? [] : ['--address', pageServer.address, '--port', pageServer.port]),
    ...(statusFd === undefined ? [] : ['--status-fd', String(statusFd)]),
    ...(networkInode === undefined ? [] : ['--external', `net[${networkInode}]:${NETWORK}`]),
    ...external.flatMap(({ inside }) => ['--external', `mnt[${inside}]:${inside}`]),
    ...[...new Set(files)].flatMap((name) => ['--external', name!]),
    // A mount may get what the host mounts below its source: the other side of that is not in the container.
    '--enable-external-masters',
  ];
}

/** What a restore depends on besides its options. */
export interface RestoreFacts {
  rootfs: string;
  pidFile: string;
  external: readonly ExternalMount[];
  stdio: readonly (string | undefined)[];
  cgroups: readonly { controllers: string; path: string; mountPoint: string }[];
  /** A descriptor of the network namespace that the container is given. */
  networkFd: number | undefined;
}

/** The words of `criu restore`. */
export function restoreArguments(options: RestoreOptions, facts: RestoreFacts): string[] {
  const { lsmProfile, lsmMountContext } = options;
  const { rootfs, pidFile, external, stdio, cgroups, networkFd } = facts;
  return [
    ...['restore', '--root', rootfs],
    ...commonArguments(options, RESTORE_LOG),
    // The container is the child of who runs criu, and criu ends: so it is waited for as if we had made it.
    ...['--restore-detached', '--restore-sibling', '--pidfile', pidFile, '--evasive-devices'],
    ...cgroups.flatMap(({ controllers, path, mountPoint }) => [
      '--cgroup-root',
      `${controllers === '' ? '' : `${controllers}:`}${path.slice(mountPoint.length)}`,
    ]),
    ...external.flatMap(({ inside, outside }) => ['--external', `mnt[${inside}]:${outside}`]),
    ...stdio.flatMap((name, fd) => (name === undefined ? [] : ['--inherit-fd', `fd[${fd}]:${name}`])),
    ...(networkFd === undefined ? [] : ['--inherit-fd', `fd[${networkFd}]:${NETWORK}`]),
    ...(lsmProfile === undefined ? [] : ['--lsm-profile', lsmProfile]),
    ...(lsmMountContext === undefined ? [] : ['--lsm-mount-context', lsmMountContext]),
    '--enable-external-masters',
  ];
}
