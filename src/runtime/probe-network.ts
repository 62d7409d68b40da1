// Facts about the interfaces that a container takes over (linux.netDevices): their numbers and addresses. Loaded only
// for those. netlink(7), rtnetlink(7).

import { close, flag, rawSyscall } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import type { NetAddressInput, NetDeviceInput } from '../plan/input.ts';
import { refused } from './probe.ts';

// <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_addr.h>
const [RTM_NEWADDR, RTM_GETADDR, NLMSG_ERROR, NLMSG_DONE] = [20, 22, 2, 3];
const NLM_F_REQUEST_DUMP = 0x1 | 0x300;
const [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS] = [1, 2, 4, 8];
const IFA_F_PERMANENT = 0x80;
/** Flags that somebody has chosen: IFA_F_NODAD, IFA_F_NOPREFIXROUTE. The others are states. */
const KEPT_FLAGS = 0x02 | 0x200;
const RT_SCOPE_UNIVERSE = 0;
const AF_INET6 = 10;

interface Address extends NetAddressInput {
  index: number;
}

/** What is to be moved, in the order of the config. Throws CONFIG where an interface is not there. */
export function probeNetDevices({ linux }: Config): NetDeviceInput[] {
  const names = Object.keys(linux?.netDevices ?? {});
  if (names.length === 0) return [];
  const socket = rawSyscall('socket', flag('AF_NETLINK'), flag('SOCK_RAW', 'SOCK_CLOEXEC'), 0);
  if (socket < 0) throw refused('HOST', 'look at network devices: open a netlink socket', -socket);
  try {
    const addresses = dumpAddresses(socket);
    return names.map((name) => {
      const index = indexOf(socket, name);
      const own = addresses.filter((address) => address.index === index);
      return { name, index, addresses: own.map(({ index: _, ...address }) => address) };
    });
  } finally {
    close(socket);
  }
}

function indexOf(socket: number, name: string): number {
  const ifreq = new Uint8Array(40);
  new TextEncoder().encodeInto(name, ifreq.subarray(0, 15));
  const result = rawSyscall('ioctl', socket, flag('SIOCGIFINDEX'), ifreq);
  if (result === 0) return new DataView(ifreq.buffer).getInt32(16, true);
  throw new TinyrunError(
    'CONFIG',
    `/linux/netDevices: there is no network device ${JSON.stringify(name)} here`,
    {
      hint: 'it must be in the network namespace that tinyrun is called in',
    },
  );
}

/** All permanent addresses of global scope. */
function dumpAddresses(socket: number): Address[] {
  const request = new Uint8Array(24); // struct nlmsghdr, struct ifaddrmsg
  const header = new DataView(request.buffer);
  header.setUint32(0, request.length, true);
  header.setUint16(4, RTM_GETADDR, true);
  header.setUint16(6, NLM_F_REQUEST_DUMP, true);
  const sent = rawSyscall('sendto', socket, request, request.length, 0, null, 0);
  if (sent < 0) throw refused('HOST', 'ask for network addresses', -sent);
  const addresses: Address[] = [];
  const bytes = new Uint8Array(1 << 16);
  for (;;) {
    const size = rawSyscall('recvfrom', socket, bytes, bytes.length, 0, null, null);
    if (size < 0) throw refused('HOST', 'read network addresses', -size);
    const view = new DataView(bytes.buffer, 0, size);
    for (let at = 0; at + 16 <= size; at += (view.getUint32(at, true) + 3) & ~3) {
      const type = view.getUint16(at + 4, true);
      if (type === NLMSG_DONE) return addresses;
      if (type === NLMSG_ERROR)
        throw refused('HOST', 'read network addresses', -view.getInt32(at + 16, true));
      if (type !== RTM_NEWADDR) continue;
      const address = parseAddress(bytes.slice(at + 16, at + view.getUint32(at, true)));
      if (address !== undefined) addresses.push(address);
    }
  }
}

/** struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index; }, then attributes. */
function parseAddress(message: Uint8Array): Address | undefined {
  const view = new DataView(message.buffer);
  const [family = 0, prefix = 0, , scope] = message;
  let flags = message[2]!;
  const attributes: [number, Uint8Array][] = [];
  for (let at = 8; at + 4 <= message.length; at += (view.getUint16(at, true) + 3) & ~3) {
    const type = view.getUint16(at + 2, true);
    const value = message.slice(at + 4, at + view.getUint16(at, true));
    if (type === IFA_FLAGS) flags = view.getUint32(at + 4, true);
    else if (type === IFA_ADDRESS || type === IFA_LOCAL || type === IFA_BROADCAST)
      attributes.push([type, value]);
  }
  if ((flags & IFA_F_PERMANENT) === 0 || scope !== RT_SCOPE_UNIVERSE) return undefined;
  const local = (attributes.find(([type]) => type === IFA_LOCAL) ?? attributes[0])?.[1] ?? new Uint8Array();
  const text = `${printAddress(family, local)}/${prefix}`;
  return { index: view.getUint32(4, true), family, prefix, flags: flags & KEPT_FLAGS, attributes, text };
}

/** For messages: an IPv6 address without its shortest form. */
function printAddress(family: number, bytes: Uint8Array): string {
  if (family !== AF_INET6) return bytes.join('.');
  return Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)).join(
    ':',
  );
}
