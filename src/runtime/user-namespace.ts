// Whether root is root: in a user namespace he is a user of the host, and may do what that one may.

import { close, flag, open, readInto } from '../../native-bindings/libc.ts';

/** Whether this process is in a user namespace that somebody has made. user_namespaces(7). */
export function inUserNamespace(): boolean {
  const fd = open('/proc/self/uid_map', flag('O_RDONLY'));
  if (fd < 0) return false;
  const bytes = new Uint8Array(64); // a line is shorter: more is another line
  const size = readInto(fd, bytes);
  close(fd);
  return !/^ *0 +0 +4294967295\n$/.test(new TextDecoder().decode(bytes.subarray(0, Math.max(size, 0))));
}
