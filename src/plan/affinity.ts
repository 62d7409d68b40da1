// process.execCPUAffinity: on which CPUs a process that is executed in a container may run. OCI config.md, "Linux
// Process"; sched_setaffinity(2). `initial` holds while it is brought into the container's cgroup, `final` from then on.

import { maskOfIds } from '../oci/id-list.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';

/**
 * sched_setaffinity(2) of the calling process, which its children and what it executes have, too.
 * @param cpus a list such as `0-3,7`; empty or undefined: leaves it alone
 * @param from the JSON pointer of the field
 */
export function planCpuAffinity(cpus: string | undefined, from: string): Op[] {
  if (cpus === undefined || cpus === '') return [];
  const mask = maskOfIds(cpus);
  return [
    o.call('sched_setaffinity', [0, mask.length, { bytes: mask }], {
      what: `run on CPUs ${cpus}`,
      why: 'A process in a container can be kept off CPUs that others count on, from its first moment on.',
      from,
    }),
  ];
}
