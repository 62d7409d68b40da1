// The end of what a container uses: its volumes are given back to their drivers, and those that nobody named go, if asked
// for and nobody else uses them. Killed anywhere, it is done again by whoever comes next.

import { TinyrunError } from '../errors.ts';
import { releaseVolume } from './mounted.ts';
import { removeVolume } from './remove.ts';
import { isAttached, readUses, removeUses, type Uses, usersOf, writeUses } from './uses.ts';

/**
 * Takes away that a container uses anything, and with it what is to go.
 * @param removeAnonymous the volumes that nobody named and nobody else uses go, too
 * @throws TinyrunError HOST where a driver fails; what is not done stays written down
 */
export async function releaseUses(
  dataRoot: string,
  id: string,
  { removeAnonymous }: { removeAnonymous: boolean },
): Promise<void> {
  const uses = readUses(dataRoot, id);
  if (uses === undefined) return;
  await releaseMounts(dataRoot, id, uses);
  const names = uses.removing ?? (removeAnonymous ? anonymousOf(uses) : []);
  // From here on they are not in use by this container, and it is written down that they are to go.
  if (names.length > 0) writeUses(dataRoot, id, { ...uses, removing: names });
  for (const name of names) await removeUnused(dataRoot, name);
  removeUses(dataRoot, id);
}

/**
 * Takes away one mount of a container that goes on running; its directory is locked by the caller.
 * @param removeAnonymous its volume goes, if nobody named it and nobody else uses it
 */
export async function dropUse(
  dataRoot: string,
  id: string,
  destination: string,
  { removeAnonymous }: { removeAnonymous: boolean },
): Promise<void> {
  const uses = readUses(dataRoot, id);
  const dropped = uses?.mounts.find(({ point }) => point.Destination === destination);
  if (uses === undefined || dropped === undefined) return;
  const mounts = uses.mounts.filter((use) => use !== dropped);
  const name = dropped.point.Name;
  if (name !== undefined && !mounts.some(({ point }) => point.Name === name))
    await releaseVolume(dataRoot, name, id);
  writeUses(dataRoot, id, { ...uses, mounts });
  if (name !== undefined && removeAnonymous && dropped.anonymous) await removeUnused(dataRoot, name);
}

/**
 * The end of a container that may be started again: its volumes are given back to their drivers, and what was attached while
 * it ran is no part of it any more. Its directory is locked by the caller.
 * @throws TinyrunError HOST where a driver fails; what is not done stays written down
 */
export async function endMounts(dataRoot: string, id: string): Promise<void> {
  const uses = readUses(dataRoot, id);
  if (uses === undefined) return;
  await releaseMounts(dataRoot, id, uses);
  if (uses.mounts.some(isAttached))
    writeUses(dataRoot, id, { ...uses, mounts: uses.mounts.filter((use) => !isAttached(use)) });
}

/** Gives the volumes back to their drivers. */
export async function releaseMounts(dataRoot: string, id: string, { mounts }: Uses): Promise<void> {
  for (const { point } of mounts) if (point.Name !== undefined) await releaseVolume(dataRoot, point.Name, id);
}

const anonymousOf = ({ mounts }: Uses): string[] =>
  mounts.flatMap(({ point, anonymous }) => (anonymous && point.Name !== undefined ? [point.Name] : []));

async function removeUnused(dataRoot: string, name: string): Promise<void> {
  if (usersOf(dataRoot, name).length > 0) return;
  try {
    await removeVolume(dataRoot, name, { force: true });
  } catch (error) {
    // Somebody has begun to use it meanwhile.
    if (!(error instanceof TinyrunError) || error.code !== 'STATE') throw error;
  }
}
