// Sockets of the caller that receive a file descriptor: the master of the terminal (--console-socket), a pidfd of init
// (--pidfd-socket). unix(7), SCM_RIGHTS; cmsg(3).

import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { ProcessInput } from './input.ts';

const utf8 = new TextEncoder();
/** struct cmsghdr and one descriptor; CMSG_LEN and CMSG_SPACE of it. */
const [CMSG_HEADER, CMSG_LEN, CMSG_SPACE] = [16, 20, 24];
const [SOL_SOCKET, SCM_RIGHTS] = [1, 1]; // <bits/socket.h>

/** The message that carries a descriptor, whose number is stored behind its header. */
const rights = (): Uint8Array => {
  const bytes = new Uint8Array(CMSG_SPACE);
  new Uint32Array(bytes.buffer).set([CMSG_LEN, 0, SOL_SOCKET, SCM_RIGHTS]);
  return bytes;
};

const isUsed = ({ consoleSocket, pidfdSocket, seccomp }: ProcessInput): boolean =>
  consoleSocket !== undefined || pidfdSocket !== undefined || seccomp?.listener !== undefined;

/** What planSendFd needs. */
export const rightsBuffer = (): Buffer => ({ name: 'rights', size: CMSG_SPACE, init: rights() });

export const socketBuffers = (input: ProcessInput): Buffer[] => (isUsed(input) ? [rightsBuffer()] : []);

/** Host program, where the host's paths still lead somewhere: registers `console`, `pidfdsocket`. */
export function planConnect({ consoleSocket, pidfdSocket }: ProcessInput): Op[] {
  return [
    ...(consoleSocket === undefined
      ? []
      : planConnectTo('console', consoleSocket, waiting('--console-socket'))),
    ...(pidfdSocket === undefined
      ? []
      : planConnectTo('pidfdsocket', pidfdSocket, waiting('--pidfd-socket'))),
  ];
}

const waiting =
  (from: string) =>
  (what: string): Words => ({
    what,
    why: 'The caller waits there for a descriptor.',
    from,
  });

/** A socket in a register, connected to the one at a path of the host. */
export function planConnectTo(
  register: string,
  path: string,
  words: (what: string) => Words,
  connect = `connect to ${path}`,
): Op[] {
  const name = utf8.encode(path);
  const address = new Uint8Array(2 + name.length + 1); // struct sockaddr_un, as long as it is used
  address[0] = AF_UNIX;
  address.set(name, 2);
  return [
    o.call('socket', [o.flags('AF_UNIX'), o.flags('SOCK_STREAM', 'SOCK_CLOEXEC'), 0], {
      ...words(`make a socket for ${path}`),
      to: register,
    }),
    o.call('connect', [o.reg(register), { bytes: address }, address.length], words(connect)),
  ];
}

const AF_UNIX = 1;

/** Sends the descriptor in register `fd` to the socket in register `socket`, with some bytes, which it cannot do without. */
export function planSendFd(
  socket: string,
  fd: string,
  text: string | { buf: string; size: number },
  words: Words,
): Op[] {
  const bytes =
    typeof text === 'string'
      ? { iov_base: text, iov_len: utf8.encode(text).length }
      : { iov_base: o.buf(text.buf), iov_len: text.size };
  return [
    o.store(fd, o.buf('rights', CMSG_HEADER), 4, { ...words, what: `put ${fd} into the message` }),
    o.call(
      'sendmsg',
      [
        o.reg(socket),
        {
          struct: 'msghdr',
          fields: {
            msg_iov: { structs: 'iovec', items: [bytes] },
            msg_iovlen: 1,
            msg_control: o.buf('rights'),
            msg_controllen: CMSG_SPACE,
          },
        },
        o.flags('MSG_NOSIGNAL'),
      ],
      words,
    ),
  ];
}

/** Host program, when init is born. */
export function planSendPidfd({ pidfdSocket }: ProcessInput): Op[] {
  if (pidfdSocket === undefined) return [];
  const words = (what: string): Words => ({
    what,
    why: 'A pidfd names the process for ever, where a pid may be reused.',
    from: '--pidfd-socket',
  });
  return [
    o.call('pidfd_open', [o.reg('pid'), 0], { ...words('open a pidfd of init'), to: 'initfd' }),
    ...planSendFd('pidfdsocket', 'initfd', 'pidfd', words('send the pidfd of init')),
    o.close(o.reg('initfd'), words('close the pidfd')),
    o.close(o.reg('pidfdsocket'), words('close the socket')),
  ];
}
