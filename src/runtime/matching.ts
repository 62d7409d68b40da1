// Commands that take a regular expression in place of an id, as crun's.

import { SystemError } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { listIds } from './store.ts';

/**
 * Does something to each container whose id matches anywhere; those that it fails for do not stop the others.
 * @param pattern a JavaScript regular expression
 * @throws TinyrunError USAGE if it is none; STATE with all that failed
 */
export async function forEachMatch(
  root: string,
  pattern: string,
  act: (id: string) => void | Promise<void>,
): Promise<void> {
  const expression = parsePattern(pattern);
  const problems: string[] = [];
  for (const id of listIds(root)) {
    if (!expression.test(id)) continue;
    try {
      await act(id);
    } catch (error) {
      if (!(error instanceof TinyrunError || error instanceof SystemError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new TinyrunError('STATE', problems.join('; '));
}

function parsePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TinyrunError('USAGE', `--regex ${JSON.stringify(pattern)}: ${reason}`);
  }
}
