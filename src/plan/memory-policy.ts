// linux.memoryPolicy: from which memory nodes the container's pages come. OCI config-linux.md, "Memory policy";
// set_mempolicy(2). The policy is the process', and its children and what it executes have it, too.

import { maskOfIds } from '../oci/id-list.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

/** Init program, or a process that is executed in a container: set_mempolicy(2) for itself. */
export function planMemoryPolicy({ config }: Pick<PlanInput, 'config'>): Op[] {
  const policy = config.linux?.memoryPolicy;
  if (policy === undefined) return [];
  const { mode, nodes = '', flags = [] } = policy;
  const mask = maskOfIds(nodes);
  // The kernel reads one bit less than it is told of (set_mempolicy(2), "Bugs" of libnuma).
  const arguments_ = mask.length === 0 ? [0, 0] : [{ bytes: mask }, 8 * mask.length + 1];
  return [
    o.call('set_mempolicy', [{ flags: [mode, ...flags] }, ...arguments_], {
      what: `set memory policy ${[mode, ...flags].join('|')}${nodes === '' ? '' : ` of nodes ${nodes}`}`,
      why: 'Memory is nearer to some processors than to others: from which nodes pages are taken.',
      from: '/linux/memoryPolicy',
    }),
  ];
}
