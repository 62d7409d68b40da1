// Messages to the kernel's network configuration, as bytes, and the ops that send one and read the answer. netlink(7),
// rtnetlink(7). All integers are in the machine's order, little endian here.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { errnos, errnoWords } from '../sys/errno.ts';

/** <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>: what the messages below are made of. */
export const RTM_NEWLINK = 16;
export const RTM_NEWADDR = 20;
export const IFLA_IFNAME = 3;
export const IFLA_NET_NS_PID = 19;
export const IFA_FLAGS = 8;
/** For requests that make something: not what is there already. */
export const NLM_F_CREATE_EXCL = 0x400 | 0x200;
const NLM_F_REQUEST_ACK = 0x1 | 0x4;

const HEADER = 16; // struct nlmsghdr
/** Where struct ifinfomsg and struct ifaddrmsg, behind the header, have the number of the interface. */
export const INDEX_AT = HEADER + 4;
/** The payload of an attribute, behind its header. */
export const ATTRIBUTE_HEADER = 4;

export type Attribute = readonly [type: number, value: Uint8Array];

/** The bytes of a 32-bit number. */
export const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);

/** The bytes of a text and the NUL behind it. */
export const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

const aligned = (length: number): number => (length + 3) & ~3;

/** A request that the kernel answers with an error number, 0 for success. */
export function netlinkMessage(
  type: number,
  flags: number,
  body: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array {
  const size = attributes.reduce(
    (sum, [, value]) => sum + aligned(ATTRIBUTE_HEADER + value.length),
    HEADER + aligned(body.length),
  );
  const message = new Uint8Array(size);
  const view = new DataView(message.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST_ACK | flags, true);
  message.set(body, HEADER);
  let at = HEADER + aligned(body.length);
  for (const [attribute, value] of attributes) {
    view.setUint16(at, ATTRIBUTE_HEADER + value.length, true);
    view.setUint16(at + 2, attribute, true);
    message.set(value, at + ATTRIBUTE_HEADER);
    at += aligned(ATTRIBUTE_HEADER + value.length);
  }
  return message;
}

export const netlinkBuffers = [{ name: 'netlink-reply', size: 64 }];

/** Opens register `netlink`, a socket in the network namespace of who opens it. */
export const planNetlink = (words: Words): Op =>
  o.call('socket', [o.flags('AF_NETLINK'), o.flags('SOCK_RAW', 'SOCK_CLOEXEC'), 0], {
    ...words,
    to: 'netlink',
  });

/**
 * Sends a message that stands in a buffer, and fails with its words if the kernel refuses.
 * @param unique makes the labels unlike all others
 * @param hints what an errno means here, where the errno's own words do not say it
 */
export function planRequest(
  buffer: string,
  size: number,
  unique: string,
  words: Words,
  hints: Readonly<Record<string, string>>,
): Op[] {
  const done = `${unique}-done`;
  const refusals = Object.entries(hints).flatMap(([name, hint]) => {
    const other = `${unique}-not-${name.toLowerCase()}`;
    return [
      o.branch('refused', '!=', 2 ** 32 - errnos[name]!, other, { ...words, what: `is it ${name}?` }),
      o.fail({
        ...words,
        what: `${words.what}: ${name} ${errnoWords[name]}${hint === '' ? '' : `: ${hint}`}`,
      }),
      o.label(other),
    ];
  });
  return [
    o.call('sendto', [o.reg('netlink'), o.buf(buffer), size, 0, 0, 0], words),
    o.call('recvfrom', [o.reg('netlink'), o.buf('netlink-reply'), 64, 0, 0, 0], {
      ...words,
      what: `${words.what}: read the answer`,
    }),
    o.load(o.buf('netlink-reply', HEADER), 4, 'refused', {
      ...words,
      what: 'take the error number of the answer',
    }),
    o.branch('refused', '==', 0, done, { ...words, what: 'has the kernel done it?' }),
    ...refusals,
    o.fail({ ...words, what: `${words.what}: the kernel refuses it` }),
    o.label(done),
  ];
}
