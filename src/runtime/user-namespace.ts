// Whether root is root: in a user namespace he is a user of the host, and may do what that one may.

import { close, rawSyscall } from '../../native-bindings/libc.ts';
import { constants } from '../sys/constants.ts';

/** Whether this process is in a user namespace that somebody has made. user_namespaces(7). */
export function inUserNamespace(): boolean {
  const fd = rawSyscall('openat', constants['AT_FDCWD']!, '/proc/self/uid_map', constants['O_CLOEXEC']!, 0);
  if (fd < 0) return false;
  const bytes = new Uint8Array(64); // a line is shorter: more is another line
  const size = rawSyscall('read', fd, bytes, bytes.length);
  close(fd);
  return !/^ *0 +0 +4294967295\n$/.test(new TextDecoder().decode(bytes.subarray(0, Math.max(size, 0))));
}
