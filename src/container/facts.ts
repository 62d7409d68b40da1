// What is known of a container only when it starts, asked of the host and of the container's own root (oci-config.ts).

import { AT_FDCWD, exists } from '../disk/files.ts';
import { readMerged } from '../image/merged.ts';
import type { Config } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { capabilitiesOf, grantedCapabilities } from './capability.ts';
import { grantedDevices } from './devices.ts';
import { joinedNamespaces } from './join.ts';
import type { StartFacts } from './oci-config.ts';
import type { ContainerRecord } from './record.ts';
import { parseSecurityOptions, type SecurityOptions } from './security-opt.ts';
import { type ResolvedUser, resolveUser } from './user.ts';

/** Bytes of a passwd or group file: as large as any real one, and far from hurting (CVE-2026-47262). */
export const ACCOUNTS_LIMIT = 4 << 20;

/**
 * @param roots directories that its root is made of, the topmost first: users are looked up there
 * @throws TinyrunError USAGE where the user or a device is not there, STATE where a joined container does not run
 */
export async function gatherStartFacts(
  global: GlobalOptions,
  host: HostFacts,
  record: ContainerRecord,
  merged: string,
  roots: readonly string[],
): Promise<StartFacts> {
  const { config, hostConfig } = record;
  const capabilities = capabilitiesOf(host.capBounding);
  const security = parseSecurityOptions(hostConfig.SecurityOpt);
  return {
    merged,
    user: userIn(roots, config.User, hostConfig.GroupAdd),
    joined: joinedNamespaces(global, hostConfig),
    devices: grantedDevices(hostConfig),
    capabilities,
    security,
    seccomp: await seccompOf(record, security, capabilities, host),
    hostMaskedPaths: thermalPaths(),
  };
}

/** Looks a user up in what is in a root now: its layers, the topmost first. */
function userIn(layers: readonly string[], user: string, groupAdd: readonly string[]): ResolvedUser {
  const read = (path: string): string | undefined => readMerged(layers, path, ACCOUNTS_LIMIT);
  return resolveUser(user, groupAdd, read('etc/passwd'), read('etc/group'));
}

/** Docker's profile, unless another one was asked for; a privileged container has none. */
async function seccompOf(
  { hostConfig }: ContainerRecord,
  { seccomp }: SecurityOptions,
  known: readonly string[],
  host: HostFacts,
): Promise<NonNullable<Config['linux']>['seccomp']> {
  const { CapAdd, CapDrop, Privileged } = hostConfig;
  if (seccomp === 'unconfined' || (Privileged && seccomp === undefined)) return undefined;
  const granted = grantedCapabilities(CapAdd, CapDrop, Privileged, known);
  if (seccomp === undefined) return (await import('./seccomp-profile.ts')).defaultSeccomp(granted, host.arch);
  return (await import('./seccomp-file.ts')).readSeccompProfile(seccomp, granted, host);
}

/** How often a processor was throttled tells what others do on it. */
function thermalPaths(): string[] {
  const paths: string[] = [];
  for (let cpu = 0; ; cpu++) {
    const path = `/sys/devices/system/cpu/cpu${cpu}`;
    if (!exists(AT_FDCWD, path)) return paths;
    if (exists(AT_FDCWD, `${path}/thermal_throttle`)) paths.push(`${path}/thermal_throttle`);
  }
}
