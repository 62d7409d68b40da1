// Descriptors that one process hands to another: unix(7), SCM_RIGHTS; cmsg(3). By system calls, since JavaScript's sockets drop
// what they cannot read.

import { ptr } from 'bun:ffi';
import { flag, rawSyscall, SystemError, syscall } from './libc.ts';

/**
 * Two sockets that are connected.
 * @throws SystemError
 */
export function socketPair(): [one: number, other: number] {
  const fds = new Int32Array(2);
  const type = flag('SOCK_STREAM') | flag('SOCK_CLOEXEC');
  syscall('make two sockets', 'socketpair', flag('AF_UNIX'), type, 0, new Uint8Array(fds.buffer));
  const [one = -1, other = -1] = fds;
  return [one, other];
}

/** struct cmsghdr { size_t cmsg_len; int cmsg_level, cmsg_type; }, and one descriptor; CMSG_SPACE of it. */
const [CMSG_HEADER, CMSG_SPACE] = [16, 24];
const MSG_CMSG_CLOEXEC = 0x40000000; // <linux/socket.h>

/**
 * Waits for a message with one descriptor.
 * @returns its bytes, 64 at most, as text, and the descriptor; undefined where the other end was closed, or sent none
 * @throws SystemError
 */
export function receiveFd(socket: number): { text: string; fd: number } | undefined {
  const [bytes, control] = [new Uint8Array(64), new Uint8Array(CMSG_SPACE)];
  // struct iovec; struct msghdr: name and its length, the iovec and their number, control and its length, flags
  const vector = new BigUint64Array([BigInt(ptr(bytes)), BigInt(bytes.length)]);
  const message = new BigUint64Array(7);
  message.set([0n, 0n, BigInt(ptr(vector)), 1n, BigInt(ptr(control)), BigInt(control.length)]);
  const size = rawSyscall('recvmsg', socket, new Uint8Array(message.buffer), MSG_CMSG_CLOEXEC);
  if (size < 0) throw new SystemError('receive a descriptor', -size);
  const received = Number(message[5]); // msg_controllen
  if (received < CMSG_HEADER + 4) return undefined;
  const fd = new DataView(control.buffer).getInt32(CMSG_HEADER, true);
  return { text: new TextDecoder().decode(bytes.subarray(0, size)), fd };
}
