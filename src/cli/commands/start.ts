// tinyrun start ID; of containers with a record: tinyrun start [-a] [-i] CONTAINER...
import { TinyrunError } from '../../errors.ts';
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { startContainer } from '../../runtime/start.ts';
import { keepVerb } from '../../runtime/verb-cache.ts';
import { findRecord } from '../by-name.ts';
import type { CommandLine } from '../command-line.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [id = '', ...others] = line.args;
  const named = async (): Promise<number> => (await import('./start-named.ts')).run(line, global, cwd);
  if (others.length > 0 || 'attach' in line.options || 'interactive' in line.options) return await named();
  assertId(id);
  let code: number;
  try {
    code = await startContainer(global, id);
  } catch (error) {
    // One that runs is here, too: for Docker, it is started.
    const isOther = error instanceof TinyrunError && (error.code === 'NOT_FOUND' || error.code === 'STATE');
    if (!isOther || (await findRecord(global, id)) === undefined) throw error;
    return await named();
  }
  await keepVerb(global.root, { name: 'start' });
  return code;
}
