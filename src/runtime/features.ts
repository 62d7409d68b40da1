// `tinyrun features`: what tinyrun can do, from the tables by which it does it. OCI features.md, features-linux.md. Only
// `supportedFlags` asks the kernel; all else is the same on every host.

import { rawSyscall } from '../../native-bindings/libc.ts';
import { features, unsafeAnnotations } from '../oci/features.ts';
import { mountOptionNames } from '../oci/mount-options.ts';
import { HOOKS } from '../oci/validate.ts';
import { NAMESPACES } from '../oci/validate-linux.ts';
import { MEMORY_FLAGS, MEMORY_MODES } from '../oci/validate-resources.ts';
import { OCI_VERSION } from '../oci/version.ts';
import { actions, architectures, filterFlags, operators } from '../seccomp/tables.ts';
import { capabilities } from '../sys/capabilities.ts';
import { constantValue } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';

const sorted = (names: Iterable<string>): string[] => [...names].sort();

/** The object that `features` prints, in the order of the spec. */
export function featuresOf(build: { version: string; commit: string }): object {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: OCI_VERSION,
    hooks: HOOKS,
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: sorted(NAMESPACES),
      capabilities: Object.keys(capabilities),
      cgroup: features.cgroup,
      seccomp: {
        enabled: features.seccomp,
        actions: sorted(Object.keys(actions)),
        operators: sorted(Object.keys(operators)),
        archs: sorted(Object.keys(architectures)),
        knownFlags: sorted(filterFlags),
        supportedFlags: sorted(filterFlags.filter(isSupported)),
      },
      apparmor: { enabled: features.apparmor },
      selinux: { enabled: features.selinux },
      intelRdt: features.intelRdt,
      memoryPolicy: { modes: MEMORY_MODES, flags: MEMORY_FLAGS },
      mountExtensions: { idmap: { enabled: features.idmap } },
      netDevices: { enabled: features.netDevices },
    },
    annotations: {
      'io.tinyrun.commit': build.commit,
      'io.tinyrun.version': build.version,
      // By this name engines ask for it; it says nothing of criu on this host.
      'org.opencontainers.runc.checkpoint.enabled': 'true',
    },
    potentiallyUnsafeConfigAnnotations: unsafeAnnotations,
  };
}

/** Asks seccomp(2) for a filter at no address, which it refuses with EFAULT, and with EINVAL before if it is the flag. */
function isSupported(flag: string): boolean {
  const value = (name: string): number => constantValue(name, 'x64')!; // the same on every architecture
  const listener =
    flag === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV' ? value('SECCOMP_FILTER_FLAG_NEW_LISTENER') : 0;
  const result = rawSyscall('seccomp', value('SECCOMP_SET_MODE_FILTER'), value(flag) | listener, null);
  return result === -errnos['EFAULT']!;
}
