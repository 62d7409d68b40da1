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
  mounts: { Type: string; Name?: string; Destination: string }[];
}

/** The containers that use a volume, running or not. */
export function usersOf(dataRoot: string, volume: string): User[] {
  const containers = openDirectory(AT_FDCWD, `${dataRoot}/containers`);
  if (containers === undefined) return [];
  try {
    return readDirectory(containers).flatMap((id) => {
      const text = readSmall(containers, `${id}/mounts.json`);
      if (text === undefined) return [];
      const uses: Uses = JSON.parse(text);
      const destinations = uses.mounts
        .filter((mount) => mount.Type === 'volume' && mount.Name === volume)
        .map((mount) => mount.Destination);
      return destinations.length === 0 ? [] : [{ id, name: uses.name, destinations }];
    });
  } finally {
    close(containers);
  }
}
