// A unix socket that receives descriptors, as an engine has it for --console-socket: unix(7), SCM_RIGHTS. By system calls,
// since JavaScript's sockets drop what they cannot read.

import { unlinkSync } from 'node:fs';
import { close, rawSyscall, syscall } from '../../native-bindings/libc.ts';
import { receiveFd } from '../../native-bindings/passing.ts';
import { constants } from '../../src/sys/constants.ts';

const value = (name: string): number => constants[name]!;
const PATIENCE_SECONDS = 20n;

export interface FdSocket {
  path: string;
  /** Waits for a message; returns its bytes as text, and the descriptor that came with it. */
  receive: () => { text: string; fd: number };
}

/** Listens at a path while `use` works, and closes all that was received. */
export async function withFdSocket(path: string, use: (socket: FdSocket) => Promise<void>): Promise<void> {
  const type = value('SOCK_STREAM') | value('SOCK_CLOEXEC');
  const listener = syscall('make a socket', 'socket', value('AF_UNIX'), type, 0);
  const received: number[] = [];
  try {
    const address = new Uint8Array(110);
    address[0] = value('AF_UNIX');
    new TextEncoder().encodeInto(path, address.subarray(2));
    syscall('bind', 'bind', listener, address, address.length);
    syscall('listen', 'listen', listener, 1);
    await use({
      path,
      receive: () => {
        const message = receiveFrom(listener);
        received.push(message.fd);
        return message;
      },
    });
  } finally {
    for (const fd of [listener, ...received]) close(fd);
    unlinkSync(path);
  }
}

function receiveFrom(listener: number): { text: string; fd: number } {
  waitReadable(listener);
  const socket = syscall('accept', 'accept4', listener, null, null, value('SOCK_CLOEXEC'));
  try {
    waitReadable(socket);
    const message = receiveFd(socket);
    if (message === undefined) throw new Error('no descriptor came');
    return message;
  } finally {
    close(socket);
  }
}

function waitReadable(fd: number): void {
  const pollfd = new Int32Array([fd, value('POLLIN')]);
  const timeout = new BigInt64Array([PATIENCE_SECONDS, 0n]);
  const ready = rawSyscall(
    'ppoll',
    new Uint8Array(pollfd.buffer),
    1,
    new Uint8Array(timeout.buffer),
    null,
    0,
  );
  if (ready !== 1) throw new Error(`nobody has sent anything for ${PATIENCE_SECONDS} seconds: ${ready}`);
}
