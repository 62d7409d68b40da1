// The default engine: the program and the C interpreter (native-bindings/init.c), linked into one small executable
// that lives in memory only. The kernel replaces the JavaScript process by it, so that a container is supervised by
// kilobytes, and nothing on disk can be overwritten through the container's /proc/self/exe (CVE-2019-5736):
// memfd_create(2), execveat(2).

import {
  close,
  execFd,
  fcntl,
  memfdCreate,
  open,
  rawSyscall,
  SystemError,
  writeAll,
} from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { type Arch, encode, flagsValue } from '../program/encode.ts';
import { link } from '../program/link.ts';
import type { Program } from '../program/op.ts';
import { errnos } from '../sys/errno.ts';
import type { EngineOptions, Finished, SpawnOptions } from './engine.ts';
import { interpreterCode } from './locate.ts';
import { finished } from './spawn.ts';

/** Returns the executable's bytes. Throws PROGRAM if the program cannot be encoded. */
export function linkProgram(
  program: Program,
  arch: Arch,
  lines?: readonly string[],
): Uint8Array<ArrayBuffer> {
  return link(encode(program, arch, lines), interpreterCode(arch), arch);
}

const value = (...names: string[]) => flagsValue(names, process.arch === 'arm64' ? 'arm64' : 'x64');

/** Replaces this process by the program, with an empty environment. Returns never; throws HOST or PROGRAM. */
export function becomeProgram(program: Program, arch: Arch, options: EngineOptions): never {
  const fd = executable(linkProgram(program, arch, options.lines), options);
  const errno = -execFd(fd, [options.name], []);
  close(fd);
  throw refused('execute the program', errno);
}

/** Runs the program in a child with an empty environment, and waits for its end. Throws HOST or PROGRAM. */
export async function spawnProgram(program: Program, arch: Arch, options: SpawnOptions): Promise<Finished> {
  const fd = executable(linkProgram(program, arch, options.lines), options);
  try {
    return await finished([`/proc/self/fd/${fd}`], options);
  } finally {
    close(fd);
  }
}

/** Puts the executable where it can be executed and not be changed any more; returns its fd. */
function executable(image: Uint8Array, options: EngineOptions): number {
  const fd = createMemfd(options.name);
  if (fd === -errnos['EACCES']!) {
    options.debug(
      `vm.memfd_noexec forbids to execute memory: using an unlinked file in ${options.fallbackDirectory}`,
    );
    return unlinkedFile(image, options.fallbackDirectory);
  }
  if (fd < 0) throw refused('make a file in memory for the program', -fd);
  writeAll(fd, image);
  fcntl(fd, value('F_ADD_SEALS'), value('F_SEAL_SEAL', 'F_SEAL_SHRINK', 'F_SEAL_GROW', 'F_SEAL_WRITE'));
  return fd;
}

/** Linux 6.3 wants to be told that a file will be executed; before, it did not know the flag. */
function createMemfd(name: string): number {
  const fd = memfdCreate(name, value('MFD_CLOEXEC', 'MFD_ALLOW_SEALING', 'MFD_EXEC'));
  return fd === -errnos['EINVAL']! ? memfdCreate(name, value('MFD_CLOEXEC', 'MFD_ALLOW_SEALING')) : fd;
}

/** A file that has no name any more and that nobody has open for writing, since that is not executed (ETXTBSY). */
function unlinkedFile(image: Uint8Array, directory: string): number {
  const check = (fd: number, what: string) => {
    if (fd < 0) throw refused(`${what} in ${directory}`, -fd);
    return fd;
  };
  // Not every filesystem makes files without a name.
  const nameless = open(directory, value('O_TMPFILE', 'O_RDWR'), 0o500);
  const name = nameless < 0 ? `${directory}/.program-${process.pid}-${crypto.randomUUID()}` : undefined;
  const writer =
    name === undefined
      ? nameless
      : check(open(name, value('O_CREAT', 'O_EXCL', 'O_RDWR'), 0o500), 'make a file for the program');
  try {
    writeAll(writer, image);
    return check(open(`/proc/self/fd/${writer}`, value('O_RDONLY')), 'open the program for reading');
  } finally {
    close(writer);
    if (name !== undefined) rawSyscall('unlinkat', value('AT_FDCWD'), name, 0);
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
