// `rename`: the record and the name of a container, together. The new name is taken first: killed in between, the container
// has both for its id, and the record says which one it goes by.

import { close } from '../../native-bindings/libc.ts';
import { withLock } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import { containersDirectory } from '../oci/state.ts';
import { assertContainerName, releaseName, takeName } from './names.ts';
import { type ContainerRecord, lockContainer, readRecord, writeRecord } from './record.ts';

/**
 * Gives a container another name, running or not.
 * @throws TinyrunError USAGE, EXISTS in Docker's words
 */
export async function renameContainer(
  dataRoot: string,
  { id, name: called }: ContainerRecord,
  wanted: string,
): Promise<void> {
  const name = wanted.replace(/^\//, '');
  assertContainerName(name);
  const lock = lockContainer(dataRoot, id);
  const record = lock === undefined ? undefined : readRecord(dataRoot, id);
  if (lock === undefined || record === undefined)
    throw new TinyrunError('NOT_FOUND', `No such container: ${called}`);
  try {
    if (record.name === name)
      throw new TinyrunError('USAGE', 'Renaming a container with the same name as its current name');
    await withLock(containersDirectory(dataRoot), () => {
      takeName(dataRoot, name, id);
      writeRecord(dataRoot, { ...record, name });
      releaseName(dataRoot, record.name, id);
    });
  } finally {
    close(lock);
  }
}
