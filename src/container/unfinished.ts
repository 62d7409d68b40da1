// Containers that are not what their record says, yet or any more: being made, being removed, or started to be removed when
// they end (`--rm`). For each there is a note, a symlink that tells the container's name:
//
//   DATA_ROOT/containers/.unfinished/ID -> NAME     or `NAME volumes`: its anonymous volumes are to go with it
//
// It is made before anything else is and goes last. So what a killed tinyrun has left is found without looking at every
// container: the next command that makes or removes one takes it away.

import { close, rawSyscall, SystemError } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, listDirectory, openDirectory, readLink } from '../disk/files.ts';
import { lockOpen } from '../disk/lock.ts';
import { makeDirectories } from '../disk/write.ts';
import { containerDirectory, containersDirectory } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { removeParts } from './parts.ts';
import { isContainerId, readRecord } from './record.ts';

const notesDirectory = (dataRoot: string): string => `${containersDirectory(dataRoot)}/.unfinished`;
const notePath = (dataRoot: string, id: string): string => `${notesDirectory(dataRoot)}/${id}`;

/** Notes that a container is unfinished; if that was noted before, it stays as it is. */
export function noteUnfinished(dataRoot: string, id: string, name: string, volumes: boolean): void {
  makeDirectories(notesDirectory(dataRoot), 0o700);
  const note = volumes ? `${name} volumes` : name;
  const result = rawSyscall('symlinkat', note, AT_FDCWD, notePath(dataRoot, id));
  if (result < 0 && result !== -errnos['EEXIST']!)
    throw new SystemError(`note container ${id} as unfinished`, -result);
}

/** Takes the note away: the container is whole, or nothing is left of it. */
export function forgetUnfinished(dataRoot: string, id: string): void {
  const result = rawSyscall('unlinkat', AT_FDCWD, notePath(dataRoot, id), 0);
  if (result < 0 && result !== -errnos['ENOENT']!)
    throw new SystemError(`remove the note of container ${id}`, -result);
}

/**
 * Removes what killed commands have left. The caller holds the lock of DATA_ROOT/containers, and none of a container.
 * @param root state root: a container that runs is none of those
 */
export async function removeUnfinished(root: string, dataRoot: string): Promise<void> {
  const notes = listDirectory(notesDirectory(dataRoot));
  for (const id of notes.filter(isContainerId)) await repair(root, dataRoot, id);
}

async function repair(root: string, dataRoot: string, id: string): Promise<void> {
  const lock = tryLock(containerDirectory(dataRoot, id));
  if (lock === 'held' || exists(AT_FDCWD, `${root}/${id}`)) return; // somebody is at it, or it runs
  try {
    if (isToStay(dataRoot, id)) return;
    const [name = '', volumes] = readNote(dataRoot, id).split(' ');
    await removeParts(dataRoot, id, name, volumes !== undefined);
    forgetUnfinished(dataRoot, id);
  } finally {
    if (lock !== undefined) close(lock);
  }
}

/** Whether a note means nothing any more: the container is made, and is not to go when it has ended. */
function isToStay(dataRoot: string, id: string): boolean {
  const record = readRecord(dataRoot, id);
  if (record === undefined || record.hostConfig.AutoRemove) return false;
  forgetUnfinished(dataRoot, id);
  return true;
}

/** Locks a directory if nobody else has it; undefined where there is none. */
function tryLock(path: string): number | 'held' | undefined {
  const fd = openDirectory(AT_FDCWD, path);
  if (fd === undefined) return undefined;
  if (lockOpen(fd, { wait: false })) return fd;
  close(fd);
  return 'held';
}

function readNote(dataRoot: string, id: string): string {
  return readLink(AT_FDCWD, notePath(dataRoot, id)) ?? '';
}
