// What says that an import into a volume is not finished: a file `import.HOLDER` in the volume's directory, from before
// the first byte until after the last. Where its process is gone, the import was interrupted.

import { close } from '../../native-bindings/libc.ts';
import { AT_FDCWD, openDirectory, readDirectory, readSmall } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { volumesOf } from './directory.ts';
import { isAlive, processHolder } from './mounted.ts';

const IMPORT = 'import.';

/** An import that was not finished. */
export interface Interrupted {
  /** The file that says so, in the volume's directory. */
  marker: string;
  /** What was imported. */
  from: string;
  /** RFC 3339. */
  startedAt: string;
}

/**
 * Says that this process imports into a volume.
 * @param directory the volume's own
 * @returns the file's name
 * @throws SystemError
 */
export function markImport(directory: string, from: string): string {
  const marker = `${IMPORT}${processHolder()}`;
  const startedAt = `${new Date().toISOString().slice(0, 19)}Z`;
  writeFileAtomic(`${directory}/${marker}`, JSON.stringify({ from, startedAt }));
  return marker;
}

/** The imports into a volume whose processes are gone. */
export function interruptedImports(dataRoot: string, name: string): Interrupted[] {
  const fd = openDirectory(AT_FDCWD, `${volumesOf(dataRoot)}/${name}`);
  if (fd === undefined) return [];
  try {
    return readDirectory(fd)
      .filter((file) => file.startsWith(IMPORT) && !isAlive(dataRoot, file.slice(IMPORT.length)))
      .flatMap((marker) => {
        const text = readSmall(fd, marker);
        return text === undefined ? [] : [{ ...JSON.parse(text), marker }];
      });
  } finally {
    close(fd);
  }
}
