// The container that is looked into, whoever made it: what it was made of, where its layers are, and whether it runs.

import { close, flag, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { openDirectory } from '../disk/files.ts';
import type { Config } from '../oci/config.ts';
import { parseLayersAnnotation } from '../plan/overlay.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { statOf } from '../runtime/process.ts';
import { readSavedConfig, savedConfigPath } from '../runtime/saved-config.ts';
import type { ProcessStat } from '../runtime/status.ts';
import { type Container, readContainer } from '../runtime/store.ts';

/** One directory of the host that the root filesystem consists of. */
export interface RootLayer {
  /**
   * `upper` is the container's own, that it writes to; `init` has the mount points of its own files; `image` are read-only;
   * `rootfs` is a root that is no overlay.
   */
  role: 'upper' | 'init' | 'image' | 'rootfs';
  /** Absolute, on the host. */
  path: string;
  /** Of image layers: its number, from the base up, from 1. */
  number?: number;
  /** Of image layers of an image store. */
  diffId?: string;
  chainId?: string;
  image?: string;
}

/** What it mounts by flags: Docker's Mounts entry. */
export interface SubjectMount {
  Type: string;
  Name?: string | undefined;
  Source: string;
  Destination: string;
  Driver?: string | undefined;
  RW: boolean;
  /** The flag that asked for it, with its text. */
  by: string;
}

export interface Subject {
  id: string;
  status: string;
  /** Its init, as the host sees it; undefined: it does not run. */
  init: { pid: number; stat: ProcessStat } | undefined;
  config: Config;
  /** Absolute. */
  bundle: string;
  configPath: string;
  /** Topmost first. */
  layers: readonly RootLayer[];
  /** Where its own hosts, hostname and resolv.conf are, if it has such. */
  dataDirectory: string | undefined;
  mounts: readonly SubjectMount[];
}

/**
 * A container of the state root, made of a bundle.
 * @throws TinyrunError NOT_FOUND; CONFIG where its config cannot be read
 */
export function bundleSubject(
  { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>,
  id: string,
): Subject {
  const container = readContainer(root, id);
  const config = readSavedConfig(root, id);
  const { bundle, status } = container.state;
  return {
    ...{ id, status, config, bundle },
    init: initOf(container),
    configPath: savedConfigPath(root, id),
    layers: bundleLayers(container, config, dataRoot),
    dataDirectory: container.dataDirectory,
    mounts: [],
  };
}

function initOf({ init, state }: Container): Subject['init'] {
  return state.pid === 0 || init.stat === undefined ? undefined : { pid: init.pid, stat: init.stat };
}

function bundleLayers({ state, dataDirectory }: Container, config: Config, dataRoot: string): RootLayer[] {
  const { path } = config.root;
  const rootfs = path.startsWith('/') ? path : `${state.bundle}/${path}`;
  if (dataDirectory === undefined) return [{ role: 'rootfs', path: rootfs }];
  const annotation = config.annotations?.['io.tinyrun.layers'];
  const layers = annotation === undefined ? [rootfs] : parseLayersAnnotation(annotation, state.bundle);
  return [
    { role: 'upper', path: `${dataDirectory}/upper` },
    { role: 'init', path: `${dataRoot}/init-layer` },
    ...layers
      .map((layer, index): RootLayer => ({ role: 'image', path: layer, number: index + 1 }))
      .toReversed(),
  ];
}

/**
 * The root of a container's process, open; undefined where it does not run any more. A pid that went to another process
 * meanwhile is found out.
 * @throws SystemError
 */
export function openProcessRoot({ init }: Subject): number | undefined {
  if (init === undefined) return undefined;
  const fd = rawSyscall('openat', flag('AT_FDCWD'), `/proc/${init.pid}/root`, ROOT, 0);
  if (statOf(init.pid)?.startTime === init.stat.startTime) {
    if (fd < 0) throw new SystemError(`open the root of process ${init.pid}`, -fd);
    return fd;
  }
  if (fd >= 0) close(fd);
  return undefined;
}

/** Follows the link in the last place: what it leads to is a directory, whatever its path. */
const ROOT = flag('O_PATH', 'O_DIRECTORY', 'O_CLOEXEC');

/** A layer's directory, open; undefined where it is gone. */
export const openLayer = (path: string): number | undefined => openDirectory(flag('AT_FDCWD'), path);
