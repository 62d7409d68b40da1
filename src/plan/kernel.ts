// Settings of the container's own namespaces: host name, sysctls. OCI config.md, "Hostname"; config-linux.md, "Sysctl".

import { sysctlPath } from '../oci/sysctl.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

const utf8 = new TextEncoder();

/** Init program: sethostname(2) and setdomainname(2), in the container's uts namespace. */
export function planNames({ config }: PlanInput): Op[] {
  const name = (call: string, field: 'hostname' | 'domainname'): Op[] => {
    const value = config[field];
    if (value === undefined || value === '') return [];
    return [
      o.call(call, [value, utf8.encode(value).length], {
        what: `set ${field} ${value}`,
        why: "The uts namespace is the container's own: the host keeps its name.",
        from: `/${field}`,
      }),
    ];
  };
  return [...name('sethostname', 'hostname'), ...name('setdomainname', 'domainname')];
}

/**
 * Init program, before pivot_root: writes sysctls through the host's /proc, which no image or mount of the container can
 * have tampered with; the kernel answers for the namespaces of the writer all the same (CVE-2025-52881).
 */
export function planSysctls({ config }: PlanInput): Op[] {
  return Object.entries(config.linux?.sysctl ?? {}).flatMap(([key, value]) => {
    const path = `/proc/sys/${sysctlPath(key)!}`;
    const words = {
      what: `set sysctl ${key} to ${value}`,
      why: "It is a value of the container's own namespace, reached by the host's proc.",
      from: `/linux/sysctl/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
    };
    return [
      o.openat(o.AT_FDCWD, path, ['O_WRONLY', 'O_NOFOLLOW'], { ...words, to: 'file' }),
      o.write(o.reg('file'), value, utf8.encode(value).length, words),
      o.close(o.reg('file'), words),
    ];
  });
}
