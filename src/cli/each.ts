// A command for several names: as in Docker, one that fails does not keep the others from being done.

import { SystemError } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { createLog } from '../runtime/log.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { hintOf } from './hint.ts';

/** Does something for each name in turn, and tells of each failure. Returns the exit code. */
export async function forEach(
  names: readonly string[],
  global: GlobalOptions,
  work: (name: string) => void | Promise<void>,
): Promise<number> {
  const log = createLog(global);
  let code = 0;
  for (const name of names)
    try {
      await work(name);
    } catch (error) {
      if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
      if ('errno' in error && error.errno === 'EPIPE') throw error;
      log.error(error.message + hintOf(error, global));
      code = 1;
    }
  return code;
}
