// tinyrun purge ID CODE: what the host program of a container that is to go becomes at its end, if there are files or
// cgroups in its way (plan/end.ts). Exits with the container's exit code.
import { SystemError } from '../../../native-bindings/libc.ts';
import { AT_FDCWD, exists } from '../../disk/files.ts';
import { TinyrunError } from '../../errors.ts';
import { CONTAINER_RECORD, containerDirectory } from '../../oci/state.ts';
import { assertId } from '../../runtime/id.ts';
import { createLog } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { removeStale } from '../../runtime/removal.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(
  { args: [id = '', code = ''] }: CommandLine,
  global: GlobalOptions,
): Promise<number> {
  const { root, dataRoot } = global;
  assertId(id);
  if (!/^\d{1,3}$/.test(code))
    throw new TinyrunError('USAGE', `purge ${id}: ${JSON.stringify(code)} is no exit code`);
  try {
    await removeStale(root, id, dataRoot, true);
    if (exists(AT_FDCWD, `${containerDirectory(dataRoot, id)}/${CONTAINER_RECORD}`))
      await (await import('../../container/remove.ts')).finishContainer(global, id);
  } catch (error) {
    // The next command tries again; the exit code is the container's.
    if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
    createLog(global).error(`remove what container ${id} has left: ${error.message}`);
  }
  return Number(code);
}
