// The loopback interface of a container with a record, which has no other: up, so that its programs can talk with each other.
// What the OCI runtime is given by engines keeps its own as the kernel makes it, down: they set up networks themselves.
// netdevice(7).

import type { Buffer, Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { hasNew } from './namespaces.ts';
import { planNetlink } from './netlink.ts';
import { runtime } from './words.ts';

/** struct ifreq { char name[16]; short flags; ... } with IFF_UP, <linux/if.h>. */
const IFREQ = 40;
const FLAGS_AT = 16;
const IFF_UP = 1;
const WHY = 'A container without other interfaces still has 127.0.0.1 for its own programs.';

const hasLoopback = (input: PlanInput): boolean => input.monitor !== undefined && hasNew(input, 'network');

export function loopbackBuffers(input: PlanInput): Buffer[] {
  if (!hasLoopback(input)) return [];
  const init = new Uint8Array(IFREQ);
  init.set(new TextEncoder().encode('lo'));
  init[FLAGS_AT] = IFF_UP;
  return [{ name: 'loopback', size: IFREQ, init }];
}

/** Init program, in its network namespace. */
export function planLoopback(input: PlanInput): Op[] {
  if (!hasLoopback(input)) return [];
  const words = (what: string) => runtime(what, WHY);
  return [
    planNetlink(words('open a socket to set the loopback interface up')),
    o.call(
      'ioctl',
      [o.reg('netlink'), o.flags('SIOCSIFFLAGS'), o.buf('loopback')],
      words('set the loopback interface up'),
    ),
    o.close(o.reg('netlink'), words('close the socket')),
  ];
}
