// Which containers use which volumes: DATA_ROOT/containers/ID/mounts.json.

import { close } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, readDirectory, readSmall } from '../disk/files.ts';

/** A container that uses a volume. */
export interface User {
  id: string;
  name: string | undefined;
  destinations: string[];
}

interface Uses {
  name?: string;
  mounts: { point: { Name?: string; Destination: string } }[];
}

/** The users of each volume that has some: one look for all volumes. */
export function usersByVolume(dataRoot: string): Map<string, User[]> {
  const users = new Map<string, User[]>();
  const containers = openDirectory(AT_FDCWD, `${dataRoot}/containers`);
  if (containers === undefined) return users;
  try {
    for (const id of readDirectory(containers).sort()) {
      const text = readSmall(containers, `${id}/mounts.json`);
      const uses: Uses = text === undefined ? { mounts: [] } : JSON.parse(text);
      const byName = Map.groupBy(uses.mounts, ({ point }) => point.Name ?? '');
      byName.delete('');
      for (const [volume, mounts] of byName) {
        const user = { id, name: uses.name, destinations: mounts.map(({ point }) => point.Destination) };
        users.set(volume, [...(users.get(volume) ?? []), user]);
      }
    }
    return users;
  } finally {
    close(containers);
  }
}

/** The containers that use a volume, running or not. */
export const usersOf = (dataRoot: string, volume: string): User[] =>
  usersByVolume(dataRoot).get(volume) ?? [];
