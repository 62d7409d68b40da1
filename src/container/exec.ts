// The process that `exec` starts in a container with a record, by Docker's rules: its user is looked up in the root that the
// container has now, its environment and directory are the container's, with what the flags say above them.

import { readMerged } from '../image/merged.ts';
import type { Process } from '../oci/config.ts';
import { capabilitiesOf } from './capability.ts';
import { ACCOUNTS_LIMIT } from './facts.ts';
import { mergeEnvironment } from './merge-config.ts';
import { environmentOf } from './oci-config.ts';
import type { ContainerRecord } from './record.ts';
import { resolveUser } from './user.ts';

/** What `exec` asks for. */
export interface ExecFlags {
  args: readonly string[];
  env: readonly string[];
  /** undefined: the container's own. */
  user: string | undefined;
  workingDir: string | undefined;
  privileged: boolean;
  tty: boolean;
}

/**
 * @param pid of the container's process, by which its root is found
 * @param own the process that the container was started with
 * @param capBounding what the host can grant
 * @throws TinyrunError USAGE for a user that is not there
 */
export function execProcessOf(
  { config, hostConfig }: ContainerRecord,
  pid: number,
  own: Process,
  { args, env, user, workingDir, privileged, tty }: ExecFlags,
  capBounding: bigint,
): Process {
  // Every part of a path is opened by itself, below this directory: no symlink of the container's leads out of it.
  const read = (path: string): string | undefined =>
    readMerged([`/proc/${pid}/root/.`], path, ACCOUNTS_LIMIT);
  const groups = user === undefined ? hostConfig.GroupAdd : [];
  const { uid, gid, additionalGids, home } = resolveUser(
    user ?? config.User,
    groups,
    read('etc/passwd'),
    read('etc/group'),
  );
  const known = privileged ? capabilitiesOf(capBounding) : undefined;
  return {
    ...own,
    args: [...args],
    terminal: tty,
    env: mergeEnvironment(environmentOf({ ...config, Tty: tty }, home), env),
    cwd: workingDir ?? own.cwd,
    user: { ...own.user, uid, gid, additionalGids },
    ...(known === undefined ? {} : { capabilities: { bounding: known, effective: known, permitted: known } }),
  };
}
