// The root directory of a container, open, for who works on its files from outside, as Docker's `cp` sees it: its root filesystem
// and what its user has mounted there, put together for the moment (view.ts).

import { close, flag, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY, exists, readSmall } from '../disk/files.ts';
import type { Owner } from '../disk/inode.ts';
import { TinyrunError } from '../errors.ts';
import { containerLayer } from '../image/container-layer.ts';
import { settleLayers } from '../image/unsynced.ts';
import { containerDirectory } from '../oci/state.ts';
import { cleanInside } from '../plan/clean-inside.ts';
import type { FlagMount } from '../plan/input.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { probeHost } from '../runtime/probe.ts';
import { openOfProcess, type Process } from '../runtime/process.ts';
import { readSavedConfig } from '../runtime/saved-config.ts';
import { findContainer } from '../runtime/store.ts';
import { openMounts } from '../volume/prepare.ts';
import { endMounts } from '../volume/release.ts';
import { readUses, type Use } from '../volume/uses.ts';
import { isOfTheRuntime } from './copy-rules.ts';
import { findContainerRecord, resolveContainer } from './find.ts';
import { type ContainerRecord, lockContainer } from './record.ts';
import { withLayers, withRunningMounts } from './view.ts';

/** Who waits for a stream that comes from the same container would wait for ever. */
const PATIENCE_MS = 10_000;

/** What of a container's mounts is wanted in its root. */
export type Wanted = 'with volumes' | 'the root alone';

/**
 * Does something with the root directory of a container, its volumes in it; of one without a record while it runs.
 * @param called name, id, or the beginning of an id
 * @throws TinyrunError NOT_FOUND; STATE where there is no record and it does not run; SystemError, and what `use` throws
 */
export async function withNamedRoot<T>(
  global: GlobalOptions,
  called: string,
  use: (root: number, owner: Owner) => Promise<T>,
): Promise<T> {
  const bundle = findContainer(global.root, called);
  const record = findContainerRecord(global.dataRoot, called);
  if (record !== undefined || bundle === undefined)
    return await withContainerRoot(
      global,
      record ?? resolveContainer(global, called),
      'with volumes',
      (root) => use(root, ROOT),
    );
  const owner = rootOwner(bundle.init.pid);
  const places = placesOf(global, bundle.state.id);
  const running = await withRunningRoot(bundle.init, places, (root) => use(root, owner));
  if (running !== undefined) return running.result;
  throw new TinyrunError('STATE', `container ${called} does not run: its files are those of its bundle`, {
    hint: `see ${bundle.state.rootfs}`,
  });
}

/** Root of a container's user namespace, as the host sees it: user_namespaces(7). */
function rootOwner(pid: number): Owner {
  const outside = (file: string): number => {
    const text = readSmall(AT_FDCWD, `/proc/${pid}/${file}`) ?? '';
    const line = text.split('\n').find((one) => /^\s*0\s/.test(one));
    return Number(line?.trim().split(/\s+/)[1] ?? 0);
  };
  return { uid: outside('uid_map'), gid: outside('gid_map') };
}

/** Does something with the root directory of the host. */
export async function withHostRoot<T>(use: (root: number) => Promise<T>): Promise<T> {
  const fd = syscall('open /', 'openat', AT_FDCWD, '/', DIRECTORY, 0);
  try {
    return await use(fd);
  } finally {
    close(fd);
  }
}

/**
 * Does something with the root directory of a container that has a record.
 * @throws TinyrunError NOT_FOUND if it is removed at this moment; SystemError, and what `use` throws
 */
export async function withContainerRoot<T>(
  global: GlobalOptions,
  record: ContainerRecord,
  wanted: Wanted,
  use: (root: number) => Promise<T>,
): Promise<T> {
  const whileItRuns = async (): Promise<{ result: T } | undefined> => {
    const init = findContainer(global.root, record.id)?.init;
    if (init === undefined) return undefined;
    return await withRunningRoot(init, wanted === 'with volumes' ? placesOf(global, record.id) : [], use);
  };
  const running = await whileItRuns();
  if (running !== undefined) return running.result;
  const lock = lockContainer(global.dataRoot, record.id, PATIENCE_MS);
  if (lock === undefined) throw new TinyrunError('NOT_FOUND', `No such container: ${record.name}`);
  try {
    // It may have been started meanwhile. Who holds the lock starts it not, and one that runs goes on without it.
    const started = await whileItRuns();
    return started === undefined ? await withStoppedRoot(global, record, wanted, use) : started.result;
  } finally {
    close(lock);
  }
}

const OWN_FILES = ['hosts', 'hostname', 'resolv.conf'];

/** Where a container has its volumes and what else its user or its config mounts; files that are its own. */
function placesOf({ root, dataRoot }: GlobalOptions, id: string): string[] {
  const configured = (readSavedConfig(root, id).mounts ?? []).map(({ destination }) => destination);
  const flagged = (readUses(dataRoot, id)?.mounts ?? []).map(({ point }) => point.Destination);
  return [
    ...configured.filter((path) => !isOfTheRuntime(`/${cleanInside(path)}`)),
    ...OWN_FILES.map((name) => `/etc/${name}`),
    ...flagged,
  ];
}

/** Undefined where the process has ended. */
async function withRunningRoot<T>(
  process: Process,
  places: readonly string[],
  use: (root: number) => Promise<T>,
): Promise<{ result: T } | undefined> {
  const namespace = openOfProcess(process, 'ns/mnt', flag('O_RDONLY', 'O_CLOEXEC'));
  if (namespace === undefined) return undefined;
  const root = openOfProcess(process, 'root', flag('O_PATH', 'O_CLOEXEC'));
  try {
    return root === undefined
      ? undefined
      : { result: await withRunningMounts({ root, namespace }, places, use) };
  } finally {
    close(namespace);
    if (root !== undefined) close(root);
  }
}

async function withStoppedRoot<T>(
  { dataRoot }: GlobalOptions,
  { id, chainId, hostConfig }: ContainerRecord,
  wanted: Wanted,
  use: (root: number) => Promise<T>,
): Promise<T> {
  await settleLayers(dataRoot, chainId);
  const layer = containerLayer(dataRoot, id, chainId);
  const { kernel } = probeHost();
  if (wanted === 'the root alone') return await withLayers(layer, [], kernel, hostConfig.ReadonlyRootfs, use);
  const own = ownFileMounts(containerDirectory(dataRoot, id));
  const uses = readUses(dataRoot, id);
  if (uses === undefined) return await withLayers(layer, own, kernel, hostConfig.ReadonlyRootfs, use);
  const at = { dataRoot, id, roots: [layer.upper, ...layer.lowers], user: ROOT, root: ROOT };
  try {
    const mounts = await openMounts({ ...uses, mounts: uses.mounts.flatMap(asItIs) }, at);
    return await withLayers(layer, [...own, ...mounts], kernel, hostConfig.ReadonlyRootfs, use);
  } finally {
    await endMounts(dataRoot, id);
  }
}

/** Those that its last start has written. */
const ownFileMounts = (directory: string): FlagMount[] =>
  OWN_FILES.filter((name) => exists(AT_FDCWD, `${directory}/${name}`)).map((name) => ({
    mount: { source: `${directory}/${name}`, destination: `/etc/${name}`, options: ['bind'] },
    createSource: false,
    from: 'the runtime',
  }));

const ROOT = { uid: 0, gid: 0 };

/** What is on disk between two starts, without what a start does to it. */
function asItIs(use: Use): Use[] {
  const { chown: _, ...request } = use.request;
  const isOnDisk = request.type === 'volume' || request.type === 'bind';
  return isOnDisk && request.overlay === undefined ? [{ ...use, request }] : [];
}
