// All that a plan depends on (plan/input.ts), from the bundle, the command line and the host. Only reads, but for volumes (volumes.ts).

import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import { resourceWarnings } from '../cgroup/resources.ts';
import { TinyrunError } from '../errors.ts';
import type { Config, Hook } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { NetDeviceInput, PlanInput, RootfsInput, RootlessInput } from '../plan/input.ts';
import { hasNew } from '../plan/namespaces.ts';
import { hasNetDevices } from '../plan/net-devices.ts';
import { hasRdt } from '../plan/rdt.ts';
import { parseBundle } from './bundle.ts';
import { placeCgroup } from './cgroup.ts';
import { configPath, readConfig } from './config-file.ts';
import { gatherDestinations, gatherMounts, gatherSources } from './gather-mounts.ts';
import { gatherProcess } from './gather-process.ts';
import type { Log } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { checkTerminal, keepOpen, openLog, openTrace, reports } from './outputs.ts';
import { callerEnvironment } from './prelude.ts';
import { probeCgroups } from './probe-cgroups.ts';
import { statDirectory } from './probe-rootfs.ts';
import type { GatheredMounts } from './volumes.ts';

/**
 * Throws TinyrunError where the bundle or the flags are wrong, or name what is not there.
 * @param mayChange volumes may be made, and a seccomp filter that had to be compiled kept for later runs; what is made for
 *   the container itself is the caller's to abandon (`uses`)
 */
export async function gatherInput(
  global: GlobalOptions,
  options: RunOptions,
  host: HostFacts,
  log: Log,
  text = readConfig(configPath(options)),
  mayChange = true,
): Promise<PlanInput> {
  const config = parseBundle(configPath(options), text, log);
  const args = givenArgs(options);
  if (args !== undefined) config.process.args = args;
  if (options.hostname !== undefined) {
    if (!config.linux?.namespaces?.some(({ type }) => type === 'uts'))
      throw new TinyrunError(
        'USAGE',
        `--hostname ${options.hostname}: without a uts namespace it would be the host's name`,
        { hint: 'add {"type": "uts"} to /linux/namespaces of config.json' },
      );
    config.hostname = options.hostname;
  }
  checkTerminal(config.process.terminal === true, options);
  const rootfs = await gatherRootfs(options, config, host, log);
  const roots = rootfs.kind === 'directory' ? [rootfs.path] : rootfs.layers.toReversed();
  const mounts = await gatherMounts(global, options, config, host, roots, !mayChange);
  try {
    return await gatherRest(global, options, config, host, log, { rootfs, roots, mounts, mayChange });
  } catch (error) {
    if (mounts.uses !== undefined)
      await (await import('./uses.ts')).abandonUses(global.dataRoot, options.id, mounts.uses);
    throw error;
  }
}

const givenArgs = ({ args = [] }: RunOptions): string[] | undefined => (args.length === 0 ? undefined : args);

/** A container that has run before has a layer of its own. */
const upperOf = (rootfs: RootfsInput): string[] =>
  rootfs.kind === 'overlay' && rootfs.own.kept ? [rootfs.own.upper] : [];

/** All but the mounts and the rootfs. */
async function gatherRest(
  global: GlobalOptions,
  options: RunOptions,
  config: Config,
  host: HostFacts,
  log: Log,
  {
    rootfs,
    roots,
    mounts,
    mayChange,
  }: {
    rootfs: RootfsInput;
    roots: readonly string[];
    mounts: GatheredMounts;
    mayChange: boolean;
  },
): Promise<PlanInput> {
  const { flagMounts } = mounts;
  const rootless = host.euid === 0 ? undefined : gatherRootless(global, config, host);
  if (options.listenFds > 0 || options.notifySocket !== undefined)
    flagMounts.push(...(await import('./activation.ts')).applyActivation(config, options));
  const logFd = openLog(global);
  return {
    config,
    host,
    id: options.id,
    bundle: options.bundle,
    configPath: configPath(options),
    lifecycle: options.lifecycle,
    stateRoot: global.root,
    dataRoot: global.dataRoot,
    rootless,
    rootfs,
    ...mounts,
    sources: await gatherSources(config, mounts, options.bundle, [...upperOf(rootfs), ...roots]),
    ...gatherDestinations(config, mounts, roots, rootfs.kind === 'overlay'),
    environment: inheritsEnvironment(config) ? callerEnvironment() : [],
    resctrl: hasRdt({ config }) ? (await import('./probe-resctrl.ts')).probeResctrl(config) : undefined,
    netDevices: await gatherNetDevices(config),
    ...gatherCgroup(global, options, config, rootless !== undefined || host.inUserNamespace, log),
    transient:
      options.form === 'container' ||
      (options.lifecycle === 'foreground' && (options.remove || !(options.named || options.keep))),
    args: givenArgs(options),
    printId: options.form !== 'runc',
    exits:
      options.form === 'runc'
        ? { failure: 1, notExecutable: 1, notFound: 1 }
        : { failure: 125, notExecutable: 126, notFound: 127 },
    monitor: options.container?.monitor,
    init: options.init,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
    preserveFds: options.preserveFds,
    pidFile: options.pidFile,
    consoleSocket: options.consoleSocket,
    pidfdSocket: options.pidfdSocket,
    ...(await gatherProcess(
      config,
      host,
      options.lifecycle,
      roots,
      mayChange ? global.root : undefined,
      log,
    )),
    self: [process.execPath],
    reports: reports(global, host, logFd),
    logFd,
    trace: options.trace === undefined ? undefined : openTrace(options.trace),
    step: options.stepFd === undefined ? undefined : keepOpen(options.stepFd),
  };
}

/** Without root: by the config's own user namespace, if it has one. */
function gatherRootless(
  { rootless }: GlobalOptions,
  { linux }: Config,
  { euid }: HostFacts,
): RootlessInput | undefined {
  const user = linux?.namespaces?.find(({ type }) => type === 'user');
  if (rootless === 'false' || user === undefined || user.path) return undefined;
  return { uid: euid, gid: rawSyscall('getegid') };
}

async function gatherNetDevices(config: Config): Promise<readonly NetDeviceInput[]> {
  return hasNetDevices({ config }) ? (await import('./probe-network.ts')).probeNetDevices(config) : [];
}

/** Whether a hook has no environment of its own. */
const inheritsEnvironment = ({ hooks }: Config): boolean =>
  hooks !== undefined &&
  Object.values(hooks).some((list) => list?.some((hook: Hook) => hook.env === undefined));

/** The host's hierarchies, and where in them the container's cgroup will be. */
function gatherCgroup(
  { cgroupManager }: GlobalOptions,
  { id }: RunOptions,
  { linux, mounts }: Config,
  rootless: boolean,
  log: Log,
): Pick<PlanInput, 'cgroups' | 'cgroup'> {
  const shown = mounts?.some(({ type }) => type === 'cgroup') ?? false;
  if (cgroupManager === 'disabled') return { cgroups: shown ? probeCgroups() : [], cgroup: undefined };
  if (rootless && cgroupManager === 'systemd')
    throw new TinyrunError(
      'UNSUPPORTED',
      "--systemd-cgroup: tinyrun asks the system's systemd, as root only",
      {
        hint: 'leave it out: without root a container is in a cgroup that is delegated to the user, or in none',
      },
    );
  const cgroups = probeCgroups();
  const cgroup = placeCgroup(cgroupManager, linux?.cgroupsPath, id, cgroups);
  if (rootless && !cgroup.places.every(({ path }) => isWritable(path.slice(0, path.lastIndexOf('/'))))) {
    // Device rules are no loss: in a user namespace there are the devices alone that are bound.
    if (Object.keys(linux?.resources ?? {}).some((field) => field !== 'devices'))
      log.warn('/linux/resources: no cgroup is delegated to this user: the container has no limits');
    return { cgroups, cgroup: undefined };
  }
  for (const warning of resourceWarnings(linux?.resources ?? {})) log.warn(warning);
  if (cgroup.occupied) log.warn("container's cgroup is not empty: what is in it shares its limits");
  return { cgroups, cgroup };
}

const isWritable = (path: string): boolean => rawSyscall('faccessat', flag('AT_FDCWD'), path, 2) === 0; // W_OK

const absolute = (path: string, bundle: string): string =>
  path.startsWith('/') ? path : `${bundle}/${path}`;

async function gatherRootfs(
  options: RunOptions,
  config: Config,
  host: HostFacts,
  log: Log,
): Promise<RootfsInput> {
  const { container } = options;
  if (container !== undefined) return { kind: 'overlay', layers: container.layers, own: container.own };
  const layers = ownAnnotation('io.tinyrun.layers', options, config, log);
  const overlay =
    options.overlay ||
    layers !== undefined ||
    ownAnnotation('io.tinyrun.overlay', options, config, log) === 'true';
  if (!overlay) {
    assertNoOwnFiles(options);
    const path = absolute(config.root.path, options.bundle);
    statDirectory(path, '/root/path');
    return { kind: 'directory', path };
  }
  if (!hasNew({ config }, 'mount'))
    throw new TinyrunError(
      'CONFIG',
      'an overlay rootfs needs a mount namespace of its own: /linux/namespaces has none',
    );
  const { gatherOverlay } = await import('./overlay.ts');
  return gatherOverlay(options, config, host, layers);
}

/**
 * An annotation that chooses directories of the host. Only who names a bundle by its path has written its config: engines
 * copy annotations of images into theirs, and an image would get any directory as its root.
 */
function ownAnnotation(name: string, { form }: RunOptions, config: Config, log: Log): string | undefined {
  const value = config.annotations?.[name];
  if (form === 'bundle' || value === undefined) return value;
  log.warn(`annotation ${name} is ignored: it is for \`tinyrun run BUNDLE\`, not for engines`);
  return undefined;
}

/** What would be written into the container's own /etc files must not be lost in silence. */
function assertNoOwnFiles({ addHosts, dns, dnsSearch }: RunOptions): void {
  const given = { 'add-host': addHosts, dns, 'dns-search': dnsSearch };
  for (const [name, values] of Object.entries(given))
    if (values.length > 0)
      throw new TinyrunError(
        'USAGE',
        `--${name} ${values[0]}: without an overlay the rootfs keeps its own /etc`,
        {
          hint: 'give --overlay, too',
        },
      );
}
