// What a process depends on besides its config, be it a container's first one or one of `exec`. What few configs ask for is
// loaded only for those.

import type { Config } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { ProcessInput, SeccompInput } from '../plan/input.ts';
import type { Log } from './log.ts';
import { findHome } from './probe-rootfs.ts';

/**
 * The facts about the process of a config.
 * @param roots directories that its rootfs is made of, the topmost layer first
 * @param filters state root, where compiled seccomp filters are kept; undefined: nothing is written
 */
export async function gatherProcess(
  config: Config,
  host: HostFacts,
  lifecycle: ProcessInput['lifecycle'],
  roots: readonly string[],
  filters: string | undefined,
  log: Log,
): Promise<Pick<ProcessInput, 'home' | 'securityModules' | 'seccomp' | 'terminal'>> {
  const { apparmorProfile, selinuxLabel, terminal, user } = config.process;
  const isLabelled = Boolean(apparmorProfile || selinuxLabel || config.linux?.mountLabel);
  return {
    home: setsHome(config) ? '/' : findHome(roots, user?.uid ?? 0),
    securityModules: isLabelled ? (await import('./probe-security.ts')).probeSecurityModules(config) : [],
    seccomp: await gatherFilter(config, host, filters, log),
    terminal:
      terminal && lifecycle === 'foreground' ? (await import('./terminal.ts')).probeTerminal() : undefined,
  };
}

/** Whether the config says itself where home is. */
export const setsHome = ({ process }: Config): boolean =>
  process.env?.some((entry) => entry.startsWith('HOME=')) === true;

async function gatherFilter(
  config: Config,
  host: HostFacts,
  root: string | undefined,
  log: Log,
): Promise<SeccompInput | undefined> {
  const { seccomp } = config.linux ?? {};
  if (seccomp === undefined) return undefined;
  return (await import('./seccomp.ts')).gatherSeccomp(seccomp, host, root, log);
}
