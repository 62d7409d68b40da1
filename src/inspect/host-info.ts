// What `info` says: where things are kept, how many there are, who keeps them, and the host. Names are those of Docker's
// `info`, and Root, which is the same as DockerRootDir.

import { statfsSync } from 'node:fs';
import { cpus, hostname, release, totalmem } from 'node:os';
import { listImageIds } from '../image/store.ts';
import type { Log } from '../runtime/log.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { readText } from '../runtime/probe.ts';
import { probeCgroups } from '../runtime/probe-cgroups.ts';
import { listDrivers } from '../volume/driver.ts';
import { listAll } from './containers.ts';

export interface HostInfo {
  Root: string;
  DockerRootDir: string;
  /** Where the state of containers that run is. */
  StateRoot: string;
  Containers: number;
  ContainersRunning: number;
  ContainersPaused: number;
  ContainersStopped: number;
  Images: number;
  /** Who keeps layers; volumes have drivers of their own. */
  Driver: 'overlay2';
  DriverStatus: [name: string, value: string][];
  Plugins: { Volume: string[]; Network: string[]; Log: string[] };
  CgroupDriver: GlobalOptions['cgroupManager'];
  CgroupVersion: string;
  KernelVersion: string;
  OperatingSystem: string;
  OSType: 'linux';
  Architecture: string;
  NCPU: number;
  /** Bytes. */
  MemTotal: number;
  Name: string;
  ServerVersion: string;
}

/** Finds all of it out. */
export async function hostInfo(global: GlobalOptions, version: string, log: Log): Promise<HostInfo> {
  const { dataRoot, root } = global;
  const states = (await listAll(global, true, log)).map(({ state }) => state);
  const count = (...wanted: string[]): number => states.filter((state) => wanted.includes(state)).length;
  return {
    Root: dataRoot,
    DockerRootDir: dataRoot,
    StateRoot: root,
    Containers: states.length,
    ContainersRunning: count('running'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited'),
    Images: listImageIds(dataRoot).length,
    Driver: 'overlay2',
    DriverStatus: [['Backing Filesystem', filesystemOf(dataRoot)]],
    Plugins: { Volume: await listDrivers(), Network: ['host', 'none'], Log: ['json-file', 'none'] },
    CgroupDriver: global.cgroupManager,
    CgroupVersion: cgroupVersion(),
    KernelVersion: release(),
    OperatingSystem: operatingSystem(),
    OSType: 'linux',
    Architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    NCPU: cpus().length,
    MemTotal: totalmem(),
    Name: hostname(),
    ServerVersion: version,
  };
}

/** Hierarchies of cgroup v1 have controllers of their own, or a name. */
function cgroupVersion(): string {
  const isV1 = probeCgroups().some(
    ({ controllers }) => controllers !== '' && !controllers.startsWith('name='),
  );
  return isV1 ? '1' : '2';
}

/** `Debian GNU/Linux 12 (bookworm)`: os-release(5). */
function operatingSystem(): string {
  const texts = ['/etc/os-release', '/usr/lib/os-release'].map((path) => readText(path, 1 << 16));
  const text = texts.find((one) => typeof one === 'string') ?? '';
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? 'Linux';
}

/** <linux/magic.h>, with the names that Docker has. */
const FILESYSTEMS: Readonly<Record<number, string>> = {
  61267: 'extfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
};

/** Of the nearest directory that is there. */
function filesystemOf(path: string): string {
  try {
    const { type } = statfsSync(path);
    return FILESYSTEMS[type] ?? `0x${type.toString(16)}`;
  } catch (error) {
    if (path === '/' || !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return filesystemOf(path.slice(0, path.lastIndexOf('/')) || '/');
  }
}
