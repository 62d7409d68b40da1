// Runc's commands for Docker's containers: what has no state directory of this id may be the name of a container with a record,
// or the beginning of its id. Looked for only where the runtime knows none, so that engines never wait for it.

import { TinyrunError } from '../errors.ts';
import { print } from '../runtime/log.ts';
import type { GlobalOptions } from '../runtime/options.ts';

/**
 * Calls `work` with an id, as it is, or of the container that is called so.
 * @param say say the name on stdout when it is done, as Docker does; an id of runc's form is not said
 * @throws TinyrunError STATE in Docker's words where that does not run; what `work` throws
 */
export async function byName<T>(
  global: Pick<GlobalOptions, 'dataRoot'>,
  called: string,
  work: (id: string) => T | Promise<T>,
  say = false,
): Promise<T> {
  try {
    return await work(called);
  } catch (error) {
    const record = isMissing(error) ? await findRecord(global, called) : undefined;
    if (record === undefined) throw error;
    try {
      if (record.id !== called) {
        const result = await work(record.id);
        if (say) print(1, `${called}\n`);
        return result;
      }
    } catch (second) {
      if (!isMissing(second)) throw second;
    }
    throw new TinyrunError('STATE', `container ${record.id} is not running`, {
      hint: `start it: tinyrun start ${record.name}`,
      data: { id: record.id },
    });
  }
}

/** Whether the runtime has said that there is no such container, in runc's words: other things may be missing, too. */
export const isMissing = (error: unknown): boolean =>
  error instanceof TinyrunError &&
  error.code === 'NOT_FOUND' &&
  error.message.includes('container does not exist');

/** The record of a container; undefined where there is none. */
export async function findRecord({ dataRoot }: Pick<GlobalOptions, 'dataRoot'>, called: string) {
  return (await import('../container/find.ts')).findContainerRecord(dataRoot, called);
}
