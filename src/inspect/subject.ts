// The container that is looked into, whoever made it: what it was made of, where its layers are, and whether it runs.

import { flag } from '../../native-bindings/libc.ts';
import { openDirectory } from '../disk/files.ts';
import type { Config } from '../oci/config.ts';
import { openOfProcess } from '../runtime/process.ts';
import type { ProcessStat } from '../runtime/status.ts';
import type { Use } from '../volume/uses.ts';

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
  /** What it mounts by flags, and volumes that its config names. */
  mounts: readonly Use[];
}

/**
 * The root of a container's process, open; undefined where it does not run any more. A pid that went to another process
 * meanwhile is found out.
 * @throws SystemError
 */
export const openProcessRoot = ({ init }: Subject): number | undefined =>
  init === undefined ? undefined : openOfProcess(init, 'root', ROOT);

/** Follows the link in the last place: what it leads to is a directory, whatever its path. */
const ROOT = flag('O_PATH', 'O_DIRECTORY', 'O_CLOEXEC');

/** A layer's directory, open; undefined where it is gone. */
export const openLayer = (path: string): number | undefined => openDirectory(flag('AT_FDCWD'), path);
