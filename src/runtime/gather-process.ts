// The seccomp filter of a config, if it wants one: what makes filters is loaded only then.

import type { Config } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { SeccompInput } from '../plan/input.ts';
import type { Log } from './log.ts';

/** @param root of the state, where compiled filters are kept; undefined: nothing is written */
export async function gatherFilter(
  config: Config,
  host: HostFacts,
  root: string | undefined,
  log: Log,
): Promise<SeccompInput | undefined> {
  const { seccomp } = config.linux ?? {};
  if (seccomp === undefined) return undefined;
  return (await import('./seccomp.ts')).gatherSeccomp(seccomp, host, root, log);
}
