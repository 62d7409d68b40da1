// Names of containers: DATA_ROOT/names/NAME, a symlink whose target is the id. To take a name is one symlinkat(2), so of
// two callers one gets it. A link to a container that is gone (or never came to be) is stale: it may be replaced by who
// holds the lock of DATA_ROOT/containers.

import { rawSyscall, SystemError, syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, exists, readLink } from '../disk/files.ts';
import { makeDirectories, syncDirectory } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { CONTAINER_RECORD, containerDirectory } from '../oci/state.ts';
import { errnos } from '../sys/errno.ts';
import { ADJECTIVES, NOUNS } from './name-words.ts';
import { isContainerId } from './record.ts';

const namesDirectory = (dataRoot: string): string => `${dataRoot}/names`;

/** Docker's rule, but that one character is enough. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** A name is the name of a file: NAME_MAX of <linux/limits.h>. */
const LONGEST = 255;

/** @throws TinyrunError USAGE in Docker's words */
export function assertContainerName(name: string): void {
  if (NAME.test(name) && name.length <= LONGEST) return;
  throw new TinyrunError(
    'USAGE',
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    {
      hint: `a name has at most ${LONGEST} characters, and starts with a letter or a digit`,
      data: { name },
    },
  );
}

/** The id that a name stands for; undefined where nobody has it. */
export function idOfName(dataRoot: string, name: string): string | undefined {
  if (!NAME.test(name)) return undefined;
  const id = readLink(AT_FDCWD, `${namesDirectory(dataRoot)}/${name}`);
  return id !== undefined && isContainerId(id) ? id : undefined;
}

/**
 * Takes a name. The caller holds the lock of DATA_ROOT/containers; an id that is being made counts as one that is there.
 * @throws TinyrunError EXISTS in Docker's words
 */
export function takeName(dataRoot: string, name: string, id: string): void {
  makeDirectories(namesDirectory(dataRoot), 0o711);
  const path = `${namesDirectory(dataRoot)}/${name}`;
  const result = rawSyscall('symlinkat', id, AT_FDCWD, path);
  if (result === -errnos['EEXIST']!) {
    const holder = idOfName(dataRoot, name);
    if (holder !== undefined && holder !== id && exists(AT_FDCWD, containerDirectory(dataRoot, holder)))
      throw conflict(name, holder);
    syscall(`remove the stale name ${path}`, 'unlinkat', AT_FDCWD, path, 0);
    syscall(`take the name ${path}`, 'symlinkat', id, AT_FDCWD, path);
  } else if (result < 0) throw new SystemError(`take the name ${path}`, -result);
  syncDirectory(namesDirectory(dataRoot));
}

const conflict = (name: string, holder: string): TinyrunError =>
  new TinyrunError(
    'EXISTS',
    `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
      'You have to remove (or rename) that container to be able to reuse that name.',
    { data: { name, id: holder } },
  );

/** Gives a name back, if it is still this container's. */
export function releaseName(dataRoot: string, name: string, id: string): void {
  if (idOfName(dataRoot, name) !== id) return;
  const path = `${namesDirectory(dataRoot)}/${name}`;
  const result = rawSyscall('unlinkat', AT_FDCWD, path, 0);
  if (result < 0 && result !== -errnos['ENOENT']!) throw new SystemError(`remove the name ${path}`, -result);
}

/** Whether a container with this name has a record. */
export const isNamed = (dataRoot: string, name: string): boolean => {
  const id = idOfName(dataRoot, name);
  return id !== undefined && exists(AT_FDCWD, `${containerDirectory(dataRoot, id)}/${CONTAINER_RECORD}`);
};

const randomBytes = (count: number): Uint8Array => {
  const bytes = new Uint8Array(count);
  syscall('ask for random bytes', 'getrandom', bytes, bytes.length, 0);
  return bytes;
};

/** A new id: 64 hexadecimal digits. One of digits alone in its first twelve would be taken for a number by YAML and others. */
export function newContainerId(): string {
  for (;;) {
    const id = randomBytes(32).toHex();
    if (/[a-f]/.test(id.slice(0, 12))) return id;
  }
}

/** A name for who gives none: `ADJECTIVE_NOUN`; where that was tried in vain, with a digit. */
export function generateName(attempt: number): string {
  const [a = 0, b = 0, c = 0, d = 0, digit = 0] = randomBytes(5);
  const name = `${ADJECTIVES[(a * 256 + b) % ADJECTIVES.length]}_${NOUNS[(c * 256 + d) % NOUNS.length]}`;
  return attempt === 0 ? name : `${name}${digit % 10}`;
}
