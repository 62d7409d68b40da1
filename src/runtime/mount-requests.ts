// -v, --mount, --tmpfs and what belongs to them: what they ask for. What comes of that is volumes.ts's matter, of a bundle, and
// container/volumes.ts's.

import { TinyrunError } from '../errors.ts';
import { parseTmpfsFlag, parseVolumeFlag } from '../volume/flag.ts';
import { nameFlag, type VolumeMount } from '../volume/mount.ts';
import { parseMountFlag } from '../volume/mount-flag.ts';
import { createLog } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';

/** What the flags ask for, in Docker's grammar. Throws TinyrunError USAGE in Docker's words. */
export function parseRequests(
  { volumes, mounts, tmpfs, volumeDriver }: Pick<RunOptions, 'volumes' | 'mounts' | 'tmpfs' | 'volumeDriver'>,
  cwd: string,
): VolumeMount[] {
  const withDriver = (mount: VolumeMount): VolumeMount =>
    volumeDriver === undefined || mount.type !== 'volume'
      ? mount
      : { ...mount, volume: { driver: volumeDriver, ...mount.volume } };
  return [
    ...volumes.map((text) => withDriver(named('--volume', text, () => parseVolumeFlag(text, cwd)))),
    ...mounts.map((text) => named('--mount', text, () => parseMountFlag(text, cwd))),
    ...tmpfs.map((text) => named('--tmpfs', text, () => parseTmpfsFlag(text))),
  ];
}

/**
 * Refuses `idmap` without lists where there are no ids that it could show.
 * @throws TinyrunError USAGE
 */
export function assertIdmaps(requests: readonly VolumeMount[], hasUserNamespace: boolean): void {
  const wrong = hasUserNamespace ? undefined : requests.find(({ idmap }) => idmap === 'container');
  if (wrong !== undefined)
    throw new TinyrunError(
      'USAGE',
      `${wrong.flag}: idmap: the container has no user namespace whose ids it could show`,
      {
        hint: 'write idmap=uids=...;gids=..., or, of a bundle, add {"type": "user"} to /linux/namespaces of config.json',
      },
    );
}

/** Docker's warning: who gives both expects something else. */
export function warnOfDriver(
  global: GlobalOptions,
  { mounts, volumeDriver }: Pick<RunOptions, 'mounts' | 'volumeDriver'>,
): void {
  if (volumeDriver !== undefined && mounts.length > 0)
    createLog(global).warn(
      '`--volume-driver` is ignored for volumes specified via `--mount`. Use `--mount type=volume,volume-driver=...` instead',
    );
}

function named(flag: string, text: string, parse: () => VolumeMount): VolumeMount {
  try {
    return parse();
  } catch (error) {
    throw nameFlag(error, `${flag} ${text === '' ? "''" : text}`);
  }
}
