import { AT_FDCWD, exists, listDirectory, readLink } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { containersDirectory } from '../oci/state.ts';
import { hasRecord, readUses, type Uses } from './uses.ts';

/**
 * What a container mounts.
 * @param stateRoot where a container of a bundle is known that mounts nothing that had to be written down
 * @throws TinyrunError NOT_FOUND, in Docker's words
 */
export function findUses(dataRoot: string, stateRoot: string, name: string): Uses {
  const id = /^[\w+-][\w+.-]*$/.test(name) ? findId(dataRoot, stateRoot, name) : undefined;
  if (id === undefined)
    throw new TinyrunError('NOT_FOUND', `No such container: ${name}`, {
      hint: '--volumes-from takes the id or the name of a container that is there, running or not',
      data: { container: name },
    });
  return readUses(dataRoot, id) ?? { stateRoot, transient: false, mounts: [] };
}

function findId(dataRoot: string, stateRoot: string, name: string): string | undefined {
  const isThere = (id: string): boolean => isContainer(dataRoot, stateRoot, id);
  if (isThere(name)) return name;
  const named = linkedTo(`${dataRoot}/names/${name}`);
  if (named !== undefined && isThere(named)) return named;
  const ids = new Set([...listDirectory(containersDirectory(dataRoot)), ...listDirectory(stateRoot)]);
  const found = [...ids].filter((id) => id.startsWith(name) && isThere(id));
  if (found.length > 1)
    throw new TinyrunError('NOT_FOUND', `multiple IDs found with provided prefix: ${name}`, {
      hint: `write more of it: ${found.join(', ')}`,
    });
  return found[0];
}

/** Whether a container is there: one that runs or is kept, not what a killed tinyrun left of one. */
function isContainer(dataRoot: string, stateRoot: string, id: string): boolean {
  if (id.startsWith('.')) return false;
  if (hasRecord(dataRoot, id)) return true;
  const uses = readUses(dataRoot, id);
  return exists(AT_FDCWD, `${uses?.stateRoot ?? stateRoot}/${id}`);
}

const linkedTo = (path: string): string | undefined => readLink(AT_FDCWD, path)?.replace(/^.*\//, '');
