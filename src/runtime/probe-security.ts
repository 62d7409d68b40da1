// Which security modules of this kernel are on. Loaded only for configs that name a profile or a label.

import type { Config } from '../oci/config.ts';
import type { SecurityModule } from '../plan/input.ts';
import { readText } from './probe.ts';

/** The modules that a config asks for, and that are there. */
export function probeSecurityModules({ process, linux }: Config): SecurityModule[] {
  const modules: SecurityModule[] = [];
  if (process.apparmorProfile && readText('/sys/module/apparmor/parameters/enabled', 16) === 'Y\n')
    modules.push('apparmor');
  if (process.selinuxLabel || linux?.mountLabel) {
    // Its filesystem is known only to kernels that have it switched on.
    const filesystems = readText('/proc/filesystems', 1 << 16);
    if (typeof filesystems === 'string' && filesystems.includes('\tselinuxfs\n')) modules.push('selinux');
  }
  return modules;
}
