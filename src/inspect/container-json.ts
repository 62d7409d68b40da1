// All that is known of a container, under the names that Docker's `inspect` has for it.

import type { ContainerConfig, HostConfig } from '../container/config.ts';
import type { ContainerRecord } from '../container/record.ts';
import { hasProcess, type StatusReport, statusOf, ZERO_TIME } from '../container/status.ts';
import { containerLayer } from '../image/container-layer.ts';
import type { Config } from '../oci/config.ts';
import { containerDirectory } from '../oci/state.ts';
import { noProgram, notExecuted } from '../plan/words.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { readSavedConfig } from '../runtime/saved-config.ts';
import type { Container } from '../runtime/store.ts';
import { type MountPoint, readUses } from '../volume/uses.ts';
import { bundleCommand, bundleEnd, dockerStatus } from './containers.ts';
import { bundleLayers } from './subject-of.ts';

type Roots = Pick<GlobalOptions, 'root' | 'dataRoot'>;

/** Of a container that has a record. */
export function inspectRecord(roots: Roots, record: ContainerRecord): object {
  const { id, name, created, imageId, config, hostConfig } = record;
  const directory = containerDirectory(roots.dataRoot, id);
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return {
    ...{ Id: id, Created: created, Path: path, Args: args },
    State: stateOf(statusOf(roots, record), path),
    Image: imageId,
    ...filesIn(directory),
    LogPath: hostConfig.LogConfig.Type === 'none' ? '' : `${directory}/log`,
    Name: `/${name}`,
    ...UNCHANGING,
    HostConfig: shownHostConfig(hostConfig),
    GraphDriver: { Data: layerData(roots.dataRoot, record), Name: 'overlay2' },
    Mounts: mountPoints(roots.dataRoot, id),
    Config: shownConfig(config),
    NetworkSettings: networkSettings(hostConfig.NetworkMode),
  };
}

const filesIn = (directory: string): object => ({
  ResolvConfPath: `${directory}/resolv.conf`,
  HostnamePath: `${directory}/hostname`,
  HostsPath: `${directory}/hosts`,
});

/** What Docker has and no container here ever has otherwise. */
const UNCHANGING = {
  ...{ RestartCount: 0, Driver: 'overlay2', Platform: 'linux', MountLabel: '', ProcessLabel: '' },
  ...{ AppArmorProfile: '', ExecIDs: null },
};

/** Of one that was made of a bundle, and ran alone, nobody writes down how it ended: a code of null. */
type State = Omit<StatusReport, 'exitCode'> & { exitCode: number | null };

function stateOf(state: State, command: string): object {
  const { status, pid, exitCode, startedAt, finishedAt, oomKilled } = state;
  return {
    Status: status,
    Running: hasProcess(status),
    Paused: status === 'paused',
    Restarting: false,
    OOMKilled: oomKilled,
    Dead: false,
    Pid: pid,
    ExitCode: exitCode,
    Error: whyNotExecuted(state, command),
    StartedAt: startedAt,
    FinishedAt: finishedAt,
  };
}

/** Of one that never ran, the code is ours (plan/process.ts); it has said more on its standard error. */
function whyNotExecuted({ status, exitCode, startedAt }: State, command: string): string {
  if (status !== 'exited' || startedAt !== ZERO_TIME) return '';
  if (exitCode === 127) return noProgram(command);
  return exitCode === 126 ? notExecuted(command, 'it cannot be executed') : '';
}

function layerData(dataRoot: string, { id, chainId }: ContainerRecord): object {
  const { lowers, merged, upper, work } = containerLayer(dataRoot, id, chainId);
  return { ID: id, LowerDir: lowers.join(':'), MergedDir: merged, UpperDir: upper, WorkDir: work };
}

/** A bind has no name and no driver: Docker's JSON leaves them out, its templates have them empty. */
const mountPoints = (dataRoot: string, id: string): object[] =>
  (readUses(dataRoot, id)?.mounts ?? []).map(({ point }) => shownPoint(point));

const shownPoint = (point: MountPoint): object => ({
  Type: point.Type,
  Name: point.Name || undefined,
  Source: point.Source,
  Destination: point.Destination,
  Driver: point.Driver || undefined,
  Mode: point.Mode,
  RW: point.RW,
  Propagation: point.Propagation,
});

/** Maps are maps for templates, whatever their names look like. */
const map = <T>(of: Readonly<Record<string, T>> | undefined | null): Map<string, T> =>
  new Map(Object.entries(of ?? {}));

const shownConfig = (config: ContainerConfig): object => ({
  ...config,
  Volumes: config.Volumes === null ? null : map(config.Volumes),
  Labels: map(config.Labels),
  ...(config.ExposedPorts === undefined ? {} : { ExposedPorts: map(config.ExposedPorts) }),
});

const shownHostConfig = (hostConfig: HostConfig): object => ({
  ...hostConfig,
  LogConfig: { ...hostConfig.LogConfig, Config: map(hostConfig.LogConfig.Config) },
  Annotations: map(hostConfig.Annotations),
  Sysctls: map(hostConfig.Sysctls),
});

/** A container has no network but what its mode says. */
function networkSettings(mode: string): object {
  const addresses = { Gateway: '', IPAddress: '', IPPrefixLen: 0, MacAddress: '' };
  const networks = new Map(mode === 'none' || mode === 'host' ? [[mode, addresses]] : []);
  return { Bridge: '', SandboxID: '', SandboxKey: '', Ports: new Map(), ...addresses, Networks: networks };
}

// Containers that were made of a bundle

/** What Docker's fields can say of it; the rest is in its config.json. */
export function inspectBundle(roots: Roots, container: Container): object {
  const { id, bundle, created, pid } = container.state;
  const config = readSavedConfig(roots.root, id);
  const command = bundleCommand(roots.root, container);
  const [path = '', ...args] = command;
  return {
    ...{ Id: id, Created: created, Path: path, Args: args },
    State: stateOf(
      {
        status: dockerStatus(container),
        ...bundleEnd(roots.root, container),
        ...{ pid, oomKilled: false, startedAt: created },
      },
      path,
    ),
    Image: '',
    ...(container.dataDirectory === undefined ? {} : filesIn(container.dataDirectory)),
    ...{ LogPath: '', Name: `/${id}`, Bundle: bundle },
    ...UNCHANGING,
    HostConfig: {
      ReadonlyRootfs: config.root.readonly ?? false,
      CgroupParent: config.linux?.cgroupsPath ?? '',
    },
    GraphDriver: bundleDriver(container, config, roots.dataRoot),
    Mounts: mountPoints(roots.dataRoot, id),
    Config: bundleConfig(config, command),
    NetworkSettings: networkSettings(''),
  };
}

function bundleDriver(container: Container, config: Config, dataRoot: string): object {
  const layers = bundleLayers(container, config, dataRoot);
  const { dataDirectory } = container;
  if (dataDirectory === undefined) return { Data: { UpperDir: layers[0]?.path }, Name: 'none' };
  const lowers = layers.filter(({ role }) => role !== 'upper').map(({ path }) => path);
  return {
    Data: {
      LowerDir: lowers.join(':'),
      MergedDir: `${dataDirectory}/merged`,
      UpperDir: `${dataDirectory}/upper`,
      WorkDir: `${dataDirectory}/work`,
    },
    Name: 'overlay2',
  };
}

function bundleConfig(
  { process, hostname = '', domainname = '', annotations }: Config,
  command: readonly string[],
): object {
  const { uid = 0, gid = 0 } = process.user ?? {};
  return {
    Hostname: hostname,
    Domainname: domainname,
    User: uid === 0 && gid === 0 ? '' : `${uid}:${gid}`,
    Tty: process.terminal ?? false,
    Env: process.env ?? [],
    Cmd: command,
    WorkingDir: process.cwd,
    Entrypoint: null,
    Labels: map(annotations),
  };
}
