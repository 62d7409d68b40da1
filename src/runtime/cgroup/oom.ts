// Notices of processes that the kernel ended for want of memory in the container's cgroup. v1: an eventfd that is
// registered in cgroup.event_control; v2: memory.events, whose changes poll(2) sees.

import {
  close,
  flag,
  open,
  rawSyscall,
  readInto,
  SystemError,
  syscall,
} from '../../../native-bindings/libc.ts';
import { errnos } from '../../sys/errno.ts';
import type { Waiting } from '../poll.ts';
import { type Cgroups, directoryV1, directoryV2, readCgroupFile, rewind, writeCgroupFile } from './files.ts';

export interface OomWatch extends Waiting {
  /** Whether the kernel had to end a process since the last call. */
  take(): boolean;
  close(): void;
}

/**
 * Watches for it; undefined where the container has no cgroup of the memory controller.
 * @throws SystemError
 */
export function watchOom(cgroups: Cgroups): OomWatch | undefined {
  const v1 = directoryV1(cgroups, 'memory');
  if (v1 !== undefined) return watchV1(v1);
  const v2 = directoryV2(cgroups);
  return v2 === undefined ? undefined : watchV2(v2);
}

function watchV1(directory: string): OomWatch | undefined {
  const path = `${directory}/memory.oom_control`;
  const control = open(path, flag('O_RDONLY'));
  if (control === -errnos['ENOENT']!) return undefined;
  if (control < 0) throw new SystemError(`open ${path}`, -control);
  const flags = flag('EFD_CLOEXEC', 'EFD_NONBLOCK');
  const fd = syscall('make an eventfd', 'eventfd2', 0, flags);
  writeCgroupFile(`${directory}/cgroup.event_control`, `${fd} ${control}`);
  return {
    fd,
    events: flag('POLLIN'),
    take() {
      const counted = readInto(fd, new Uint8Array(8)) === 8;
      // The removal of the cgroup is told by the same eventfd.
      return counted && readCgroupFile(path) !== undefined;
    },
    close() {
      close(fd);
      close(control);
    },
  };
}

function watchV2(directory: string): OomWatch | undefined {
  const path = `${directory}/memory.events`;
  const fd = open(path, flag('O_RDONLY'));
  if (fd === -errnos['ENOENT']!) return undefined; // the controller is not handed down to here
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  let killed = killsIn(fd);
  return {
    fd,
    events: flag('POLLPRI'),
    take() {
      rewind(fd, path);
      const now = killsIn(fd);
      const more = now > killed;
      killed = Math.max(now, killed);
      return more;
    },
    close: () => close(fd),
  };
}

/** The count of killed processes in memory.events; 0 where the cgroup was removed meanwhile. */
function killsIn(fd: number): number {
  const bytes = new Uint8Array(512);
  const got = rawSyscall('read', fd, bytes, bytes.length);
  if (got === -errnos['ENODEV']!) return 0;
  if (got < 0) throw new SystemError('read memory.events', -got);
  return Number(/^oom_kill (\d+)$/m.exec(new TextDecoder().decode(bytes.subarray(0, got)))?.[1] ?? 0);
}
