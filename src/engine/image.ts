// A linked program, executed: from a file in memory, so that a container is supervised by kilobytes, and nothing on disk
// can be overwritten through the container's /proc/self/exe (CVE-2019-5736): memfd_create(2), execveat(2).

import {
  close,
  execFd,
  fcntl,
  flag,
  memfdCreate,
  open,
  rawSyscall,
  SystemError,
  writeAll,
} from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import type { EngineOptions } from './engine.ts';

/** Replaces this process by a linked program, with an empty environment. Returns never; throws HOST. */
export function becomeImage(image: Uint8Array, options: EngineOptions): never {
  const fd = executable(image, options);
  const errno = -execFd(fd, [options.name], []);
  close(fd);
  throw refused('execute the program', errno);
}

/** Puts the executable where it can be executed and not be changed any more; returns its fd. */
export function executable(image: Uint8Array, options: EngineOptions): number {
  const fd = createMemfd(options.name);
  if (fd === -errnos['EACCES']!) {
    options.debug(
      `vm.memfd_noexec forbids to execute memory: using an unlinked file in ${options.fallbackDirectory}`,
    );
    return unlinkedFile(image, options.fallbackDirectory);
  }
  if (fd < 0) throw refused('make a file in memory for the program', -fd);
  writeAll(fd, image);
  fcntl(fd, flag('F_ADD_SEALS'), flag('F_SEAL_SEAL', 'F_SEAL_SHRINK', 'F_SEAL_GROW', 'F_SEAL_WRITE'));
  return fd;
}

/** Linux 6.3 wants to be told that a file will be executed; before, it did not know the flag. */
function createMemfd(name: string): number {
  const fd = memfdCreate(name, flag('MFD_CLOEXEC', 'MFD_ALLOW_SEALING', 'MFD_EXEC'));
  return fd === -errnos['EINVAL']! ? memfdCreate(name, flag('MFD_CLOEXEC', 'MFD_ALLOW_SEALING')) : fd;
}

/** A file that has no name any more and that nobody has open for writing, since that is not executed (ETXTBSY). */
function unlinkedFile(image: Uint8Array, directory: string): number {
  const check = (fd: number, what: string) => {
    if (fd < 0) throw refused(`${what} in ${directory}`, -fd);
    return fd;
  };
  // Not every filesystem makes files without a name.
  const nameless = open(directory, flag('O_TMPFILE', 'O_RDWR'), 0o500);
  const name = nameless < 0 ? `${directory}/.program-${process.pid}-${crypto.randomUUID()}` : undefined;
  const writer =
    name === undefined
      ? nameless
      : check(open(name, flag('O_CREAT', 'O_EXCL', 'O_RDWR'), 0o500), 'make a file for the program');
  try {
    writeAll(writer, image);
    return check(open(`/proc/self/fd/${writer}`, flag('O_RDONLY')), 'open the program for reading');
  } finally {
    close(writer);
    if (name !== undefined) rawSyscall('unlinkat', flag('AT_FDCWD'), name, 0);
  }
}

function refused(what: string, errno: number): TinyrunError {
  const error = new SystemError(what, errno);
  return new TinyrunError('HOST', error.message, {
    cause: error,
    data: { errno: error.errno },
    ...(error.errno === 'EACCES' ? { hint: 'allow it with `sysctl vm.memfd_noexec=0`' } : {}),
  });
}
