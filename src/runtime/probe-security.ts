// Which security modules of this kernel are on. Loaded only for configs that name a profile or a label.

import type { Config } from '../oci/config.ts';
import type { SecurityModule } from '../plan/input.ts';
import { readText } from './probe.ts';

/** Where one sees that a module is on. Its filesystem is known only to kernels that have SELinux switched on. */
export const securityFiles: Readonly<Record<SecurityModule, string>> = {
  apparmor: '/sys/module/apparmor/parameters/enabled',
  selinux: '/proc/filesystems',
};

export const hasAppArmor = (): boolean => readText(securityFiles.apparmor, 16) === 'Y\n';

/** The modules that a config asks for, and that are there. */
export function probeSecurityModules({ process, linux }: Config): SecurityModule[] {
  const modules: SecurityModule[] = [];
  if (process.apparmorProfile && hasAppArmor()) modules.push('apparmor');
  if (process.selinuxLabel || linux?.mountLabel) {
    const filesystems = readText(securityFiles.selinux, 1 << 16);
    if (typeof filesystems === 'string' && filesystems.includes('\tselinuxfs\n')) modules.push('selinux');
  }
  return modules;
}
