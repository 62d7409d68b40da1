// The removal of what is left of containers, and the locks that it goes by; store.ts says which there are.

import { close, flag, open, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, modeOf, openDirectory, readDirectory, removeTree } from '../disk/files.ts';
import { lockOpen, lockWithin } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import {
  ATTACHED,
  CONTAINER_RECORD,
  CRIU_PID,
  containerDirectory,
  INIT_STAT,
  MOUNTED,
  PAUSED_PIDFD,
  SHARED_FILES,
  STATE_FILES,
  USES,
} from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { killCgroups, removeCgroups } from './cgroup-remove.ts';
import { endProcess, PATIENCE_MS } from './process.ts';
import { assertLegal, type Operation } from './status.ts';
import { type Container, notFound, readAttached, readContainer, readLocked } from './store.ts';

/**
 * Does something while nobody else changes the running container: pause, resume and update wait for each other, and its
 * removal for them. Where it has ended meanwhile, that is why the change failed.
 * @throws TinyrunError NOT_FOUND, or STATE if the operation is not legal in its status
 */
export function withChanges<T>(
  root: string,
  id: string,
  operation: Operation,
  change: (container: Container) => T,
): T {
  const fd = openStat(root, id);
  if (fd === -errnos['ENOENT']! || fd === -errnos['ENOTDIR']!) throw notFound(root, id);
  if (fd < 0) throw new SystemError(`open ${root}/${id}/${INIT_STAT}`, -fd);
  const legal = (): Container => {
    const container = readContainer(root, id);
    assertLegal(operation, id, container.state.status);
    return container;
  };
  try {
    lockOpen(fd);
    const container = legal();
    try {
      return change(container);
    } catch (error) {
      legal();
      throw error;
    }
  } finally {
    close(fd);
  }
}

const openStat = (root: string, id: string): number =>
  open(`${root}/${id}/${INIT_STAT}`, flag('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK'));

/** Waits, with some patience, until nobody changes the container any more: what they write would be in the way. */
function awaitChanges(root: string, id: string): void {
  const fd = openStat(root, id);
  if (fd < 0) return;
  lockWithin(fd, PATIENCE_MS);
  close(fd);
}

/** A container's own lock: its state directory, or why it is not ours. */
export type Lock = { fd: number } | 'gone' | 'held';

/** Tries to lock a container's state directory; close `fd` to unlock it. */
export function lockContainer(root: string, id: string): Lock {
  return withRoot(root, 'gone', (rootFd) => {
    const fd = openDirectory(rootFd, id);
    if (fd === undefined) return 'gone';
    const locked = lockOpen(fd, { wait: false });
    if (locked && exists(rootFd, id)) return { fd };
    close(fd);
    return locked ? 'gone' : 'held'; // gone: its host program removed it before we got the lock
  });
}

/** Does something while the state root is locked: no state directory appears or is locked meanwhile. */
function withRoot<T>(root: string, absent: T, use: (rootFd: number) => T): T {
  const rootFd = lockRoot(root);
  if (rootFd === undefined) return absent;
  try {
    return use(rootFd);
  } finally {
    close(rootFd);
  }
}

/** Closing the returned descriptor unlocks it; undefined where there is no state root. */
function lockRoot(root: string): number | undefined {
  const rootFd = openDirectory(AT_FDCWD, root);
  if (rootFd === undefined) return undefined;
  lockOpen(rootFd);
  return rootFd;
}

/** What a container has besides its state directory; the state of one that was ever there. */
export type Belongings = Pick<Container, 'dataDirectory' | 'cgroups' | 'resctrl'> &
  Partial<Pick<Container, 'state'>>;

/**
 * Removes a container whose lock we hold, and whose init has ended: what is left in its cgroups, those, its own files, and
 * its id last.
 * @throws TinyrunError HOST if the directory is somebody else's
 * @throws SystemError naming what could not be removed; a second try goes on from there
 */
export async function removeLocked(
  root: string,
  id: string,
  { dataDirectory, cgroups, resctrl, state }: Belongings,
): Promise<void> {
  if (state === undefined || state.ociVersion === '') assertOwn(root, id);
  removeCgroups(cgroups, true);
  if (state !== undefined && exists(AT_FDCWD, `${root}/${id}/${MOUNTED}`)) unmount(root, id, state.rootfs);
  awaitChanges(root, id);
  for (const path of resctrl) {
    const result = rawSyscall('unlinkat', AT_FDCWD, path, flag('AT_REMOVEDIR'));
    if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove ${path}`, -result);
  }
  for (const directory of new Set([dataDirectory, readAttached(root, id)]))
    if (directory !== undefined) await removeData(directory);
  withRoot(root, undefined, (rootFd) => removeTree(rootFd, id));
}

/**
 * A directory without a state of ours may be anybody's, if --root names a wrong place: it is ours if nothing is in it but
 * what we put there; an empty one, if nobody else may list it (plan/state.ts makes it so, whatever the umask).
 */
function assertOwn(root: string, id: string): void {
  const fd = openDirectory(AT_FDCWD, `${root}/${id}`);
  if (fd === undefined) return;
  try {
    const own = [...STATE_FILES, ...SHARED_FILES, PAUSED_PIDFD, MOUNTED, CRIU_PID, ATTACHED];
    const names = readDirectory(fd);
    const other = names.find((name) => !own.includes(name));
    const closed = names.length > 0 || (modeOf(fd) & 0o044) === 0;
    if (other === undefined && closed) return;
    const why = other === undefined ? 'it may be listed by all' : `${JSON.stringify(other)} is in it`;
    throw new TinyrunError('HOST', `${root}/${id} is no container: ${why}`, {
      hint: 'it stays; is --root right?',
      data: { id },
    });
  } finally {
    close(fd);
  }
}

/** Unmounts what a container without a mount namespace left in ours (plan/rootfs.ts); only once. */
function unmount(root: string, id: string, path: string): void {
  const result = rawSyscall('umount2', path, flag('MNT_DETACH'));
  if (result < 0 && result !== -errnos['EINVAL']!) throw new SystemError(`unmount ${path}`, -result);
  rawSyscall('unlinkat', AT_FDCWD, `${root}/${id}/${MOUNTED}`, 0);
}

/**
 * Removes a container that was never finished, and whose lock we hold: nobody is making it any more.
 * @param container undefined: it has no state.json, and so no process and no cgroup
 */
export async function removeHalfMade(
  root: string,
  id: string,
  container: Container | undefined,
  dataRoot: string | undefined,
): Promise<void> {
  // Where a program has removed all but what was attached, that is not looked for anywhere else.
  const isNamed = dataRoot === undefined || readAttached(root, id) !== undefined;
  const dataDirectory = isNamed ? undefined : containerDirectory(dataRoot, id);
  // Init may have been told already to outlive the one that made it.
  if (container !== undefined)
    endProcess(container.init, `container ${id}`, () => killCgroups(container.cgroups));
  await removeLocked(root, id, container ?? { dataDirectory, cgroups: [], resctrl: [] });
}

/**
 * Removes what a killed tinyrun left of a container; anything else it leaves alone.
 * @param root state root, absolute
 * @param dataRoot absolute: a half-made container's own files are looked for there; undefined: they are not
 * @param decided its host program has ended it: it goes, though it has a name
 * @returns whether it removed anything
 */
export async function removeStale(
  root: string,
  id: string,
  dataRoot?: string,
  decided = false,
): Promise<boolean> {
  const lock = lockContainer(root, id);
  if (lock === 'gone' && dataRoot !== undefined)
    return await removeOrphan(root, id, containerDirectory(dataRoot, id));
  if (typeof lock === 'string') return false;
  try {
    const container = readLocked(lock.fd, root, id);
    if (container === undefined || container.state.status === 'creating')
      await removeHalfMade(root, id, container, dataRoot);
    else if (!(container.transient || decided) || container.state.status !== 'stopped') return false;
    else await removeLocked(root, id, container);
    return true;
  } finally {
    close(lock.fd);
  }
}

/**
 * Removes a container's own files whose state is gone: the state root does not outlive a reboot, the data root does. The
 * state root is made first, if need be: only with its lock is it certain that nobody takes the id meanwhile; and with that of
 * the files, that nobody is preparing them for a container.
 */
async function removeOrphan(root: string, id: string, dataDirectory: string): Promise<boolean> {
  const files = openDirectory(AT_FDCWD, dataDirectory);
  if (files === undefined) return false;
  try {
    if (!lockOpen(files, { wait: false })) return false;
    rawSyscall('mkdirat', AT_FDCWD, root, 0o711);
    const rootFd = lockRoot(root);
    if (rootFd === undefined) return false;
    try {
      if (exists(rootFd, id)) return false;
      await removeUnchanged(dataDirectory);
      return true;
    } finally {
      close(rootFd);
    }
  } finally {
    close(files);
  }
}

/** Removes a container's own files when nobody changes what it mounts any more: `volume attach` may still be at it. */
async function removeData(dataDirectory: string): Promise<void> {
  const files = openDirectory(AT_FDCWD, dataDirectory);
  if (files === undefined) return;
  try {
    // A container with a record is more than what runs of it: it goes by `rm` alone.
    if (exists(files, CONTAINER_RECORD)) return;
    if (!lockWithin(files, PATIENCE_MS))
      throw new TinyrunError(
        'STATE',
        `remove ${dataDirectory}: another tinyrun changes what is mounted there`,
        {
          hint: 'try again when that has ended',
        },
      );
    await removeUnchanged(dataDirectory);
  } finally {
    close(files);
  }
}

/** The same; the directory is locked. */
async function removeUnchanged(dataDirectory: string): Promise<void> {
  const slash = dataDirectory.lastIndexOf('/');
  const parent = openDirectory(AT_FDCWD, dataDirectory.slice(0, slash));
  if (parent === undefined) return;
  const name = dataDirectory.slice(slash + 1);
  try {
    if (exists(parent, `${name}/${CONTAINER_RECORD}`)) return;
    if (exists(parent, `${name}/${USES}`)) await (await import('./uses.ts')).endUses(dataDirectory);
    removeTree(parent, name);
  } finally {
    close(parent);
  }
}
