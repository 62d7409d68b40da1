// linux.netDevices: interfaces of the host that become the container's. OCI config-linux.md, "Network Devices".
//
//   host   ─ RTM_NEWLINK: into init's network namespace, under its new name          while init waits
//   init   ─ finds it by its name, and so its number, which may have changed
//          ─ RTM_NEWADDR for each of its global permanent addresses, which moving has dropped
//          ─ up
//
// A name such as `eth%d`, whose number the kernel chooses, is given inside: until then it has a name that we know.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { NetDeviceInput, PlanInput } from './input.ts';
import {
  ATTRIBUTE_HEADER,
  cString,
  IFA_FLAGS,
  IFLA_IFNAME,
  IFLA_NET_NS_PID,
  INDEX_AT,
  NLM_F_CREATE_EXCL,
  netlinkBuffers,
  netlinkMessage,
  planNetlink,
  planRequest,
  RTM_NEWADDR,
  RTM_NEWLINK,
  u32,
} from './netlink.ts';

const IFREQ = 40; // struct ifreq: a name of 16 bytes, then what is asked for
const NAME_SIZE = 16;
const WHY = 'The interface belongs to the container from here on; it leaves the namespace that it was in.';
const ADDRESSES = 'Moving an interface drops its addresses: the global permanent ones are given back to it.';

/** Whether init must wait until its interfaces are there. */
export const hasNetDevices = ({ config }: Pick<PlanInput, 'config'>): boolean =>
  Object.keys(config.linux?.netDevices ?? {}).length > 0;

/** A device as it is planned: its facts, its names, and its messages. */
interface Planned {
  device: NetDeviceInput;
  /** The name that the config wants, and the one that it has when it arrives. */
  name: string;
  arrives: string;
  from: string;
  move: Uint8Array;
  addresses: Uint8Array[];
  up: Uint8Array;
  buffer: (which: string) => string;
}

function listDevices({ config, netDevices }: PlanInput): Planned[] {
  return netDevices.map((device, i) => {
    const name = config.linux?.netDevices?.[device.name]?.name || device.name;
    const arrives = name.includes('%d') ? `tinyrun${device.index}` : name;
    return {
      device,
      name,
      arrives,
      from: `/linux/netDevices/${device.name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      // The pid is the first attribute, so that its place is known.
      move: netlinkMessage(RTM_NEWLINK, 0, interfaceMessage(device.index, 0, 0), [
        [IFLA_NET_NS_PID, u32(0)],
        [IFLA_IFNAME, cString(arrives)],
      ]),
      addresses: device.addresses.map(({ family, prefix, flags, attributes }) =>
        netlinkMessage(RTM_NEWADDR, NLM_F_CREATE_EXCL, new Uint8Array([family, prefix, 0, 0, 0, 0, 0, 0]), [
          ...attributes,
          ...(flags === 0 ? [] : [[IFA_FLAGS, u32(flags)] as const]),
        ]),
      ),
      up: netlinkMessage(RTM_NEWLINK, 0, interfaceMessage(0, IFF_UP, IFF_UP), []),
      buffer: (which) => `device-${i}-${which}`,
    };
  });
}

const IFF_UP = 1;
const PID_AT = 16 + 16 + ATTRIBUTE_HEADER; // nlmsghdr, ifinfomsg, the attribute's own header

/** struct ifinfomsg { u8 family, pad; u16 type; s32 index; u32 flags, change; } */
function interfaceMessage(index: number, flags: number, change: number): Uint8Array {
  return new Uint8Array(new Uint32Array([0, index, flags, change]).buffer);
}

export function netDeviceBuffers(input: PlanInput): { name: string; size: number; init?: Uint8Array }[] {
  if (!hasNetDevices(input)) return [];
  const planned = listDevices(input);
  const message = (name: string, bytes: Uint8Array) => ({ name, size: bytes.length, init: bytes });
  return [
    ...netlinkBuffers,
    ...planned.flatMap(({ move, addresses, up, arrives, name, buffer }) => [
      message(buffer('move'), move),
      { name: buffer('name'), size: IFREQ, init: ifreq(arrives) },
      ...(arrives === name ? [] : [{ name: buffer('rename'), size: IFREQ, init: ifreq(arrives, name) }]),
      ...addresses.map((bytes, i) => message(buffer(`address-${i}`), bytes)),
      message(buffer('up'), up),
    ]),
  ];
}

function ifreq(name: string, newName = ''): Uint8Array {
  const bytes = new Uint8Array(IFREQ);
  bytes.set(cString(name));
  bytes.set(cString(newName), NAME_SIZE);
  return bytes;
}

/** Host program, while init waits: moves each device into the network namespace of init. */
export function planMoveDevices(input: PlanInput): Op[] {
  if (!hasNetDevices(input)) return [];
  const close = { what: 'close the netlink socket', why: WHY, from: '/linux/netDevices' };
  return [
    planNetlink({ what: 'open a netlink socket', why: WHY, from: '/linux/netDevices' }),
    ...listDevices(input).flatMap(({ device, arrives, from, move, buffer }) => {
      const named = arrives === device.name ? '' : ` as ${arrives}`;
      const words: Words = {
        what: `move network device ${device.name} into the container${named}`,
        why: WHY,
        from,
      };
      return [
        o.store('pid', o.buf(buffer('move'), PID_AT), 4, {
          ...words,
          what: 'put the pid of init into the message',
        }),
        ...planRequest(buffer('move'), move.length, buffer('moved'), words, {
          EEXIST: `there is an interface of the name ${arrives} in its network namespace`,
          ENODEV: 'it has gone since the container was planned',
          EINVAL: 'the interface cannot leave its network namespace, or its name is not valid',
          EPERM: 'it takes CAP_NET_ADMIN in both network namespaces',
          EBUSY: '',
        }),
      ];
    }),
    o.close(o.reg('netlink'), close),
  ];
}

/** Init program, in its network namespace: names, addresses, up. Before the sysctls, which may be of an interface. */
export function planSetUpDevices(input: PlanInput): Op[] {
  if (!hasNetDevices(input)) return [];
  const words = (what: string): Words => ({ what, why: WHY, from: '/linux/netDevices' });
  return [
    planNetlink(words('open a netlink socket inside')),
    ...listDevices(input).flatMap(planSetUp),
    o.close(o.reg('netlink'), words('close the netlink socket')),
  ];
}

function planSetUp({ device, arrives, name, from, addresses, up, buffer }: Planned): Op[] {
  const words = (what: string, why = WHY): Words => ({ what, why, from });
  const netlink = o.reg('netlink');
  const index = (message: string): Op =>
    o.store('ifindex', o.buf(message, INDEX_AT), 4, words('put its number into the message'));
  return [
    o.call(
      'ioctl',
      [netlink, o.flags('SIOCGIFINDEX'), o.buf(buffer('name'))],
      words(`look for network device ${arrives}`),
    ),
    o.load(o.buf(buffer('name'), NAME_SIZE), 4, 'ifindex', words('take its number')),
    ...(arrives === name
      ? []
      : [
          o.call(
            'ioctl',
            [netlink, o.flags('SIOCSIFNAME'), o.buf(buffer('rename'))],
            words(
              `name network device ${device.name} ${name}`,
              'The kernel takes the first number that is free.',
            ),
          ),
        ]),
    ...addresses.flatMap((message, i) => [
      index(buffer(`address-${i}`)),
      ...planRequest(
        buffer(`address-${i}`),
        message.length,
        buffer(`addressed-${i}`),
        words(`give network device ${name} its address ${device.addresses[i]!.text}`, ADDRESSES),
        { EEXIST: '', EPERM: '', EACCES: 'IPv6 is off in the container', EADDRNOTAVAIL: '', EINVAL: '' },
      ),
    ]),
    index(buffer('up')),
    ...planRequest(
      buffer('up'),
      up.length,
      buffer('is-up'),
      words(`set network device ${name} up`, 'Moving has set it down.'),
      { EPERM: '', ENETDOWN: '', EADDRNOTAVAIL: '', EBUSY: '' },
    ),
  ];
}
